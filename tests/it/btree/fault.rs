//! Faults to plant in the store: each is a mistake that an implementation could make.

macro_rules! faults {
    ($($fault:ident breaks $($law:ident),+;)*) => {
        /// A mistake in the store.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($fault,)*
        }

        /// Every fault, and the laws that must catch it.
        pub(crate) const FAULTS: &[(Fault, &[&str])] = &[
            $((Fault::$fault, &[$(stringify!($law)),+]),)*
        ];
    };
}

faults! {
    // create
    CreateReturnsTheInput breaks create_then_get_gives_what_create_returned;
    CreateLosesTheSandbox breaks create_returns_every_field_as_it_was_given;
    ValuesAreText breaks
        create_keeps_values_byte_for_byte,
        the_value_of_a_record_may_be_empty_and_is_kept_byte_for_byte;
    EmptySpecIsNone breaks create_accepts_a_spec_that_is_present_but_empty;
    EmptyOptionsAreNone breaks create_tells_empty_options_from_none;
    ImagesAreValidated breaks create_does_not_validate_images;
    UpdatedAtIsUnset breaks create_stamps_both_times_alike;
    CallersTimesAreKept breaks
        create_ignores_the_times_and_the_revision_of_the_caller,
        update_ignores_the_times_and_the_revision_of_the_caller,
        put_ignores_the_times_and_the_revision_of_the_caller;
    CreateOverwrites breaks
        create_of_a_taken_id_is_already_exists_and_changes_nothing,
        import_of_a_taken_id_is_already_exists_and_changes_nothing;
    OneNamespaceForAll breaks
        create_takes_the_same_id_in_two_namespaces,
        get_sees_only_its_namespace,
        list_sees_only_its_namespace,
        filters_see_only_their_namespace;
    IdsFoldCase breaks create_tells_ids_apart_that_differ_in_case_only, get_finds_exactly_the_id;
    RuntimeNameIsOptional breaks create_requires_a_runtime_name;
    SpecIsOptional breaks
        create_requires_a_spec, a_full_update_requires_a_spec, the_path_spec_requires_a_spec;
    SnapshotterIsOptional breaks create_requires_a_snapshotter_with_a_snapshot_key;
    SnapshotterIsOptionalForUpdates breaks a_containerd2_snapshot_key_requires_a_snapshotter;
    SnapshotterNeedsAKey breaks create_accepts_a_snapshotter_without_a_snapshot_key;
    IdsAreNotChecked breaks
        create_refuses_an_id_that_is_no_identifier_and_names_it,
        an_id_has_its_limit,
        put_refuses_what_create_refuses_and_changes_nothing,
        import_refuses_what_create_refuses;
    TakenIsLookedAtFirst breaks create_checks_the_container_before_it_looks_for_the_id;
    NamespaceMustExist breaks create_brings_its_namespace_into_being;
    FailedCreateLeavesTheNamespace breaks
        a_failed_create_leaves_neither_a_container_nor_a_namespace;
    FailedCreateClears breaks a_failed_create_leaves_its_neighbours_alone;
    // get
    NameIsFixed breaks a_store_tells_the_namespace_it_is_bound_to;
    AnyNameIsBound breaks a_store_is_bound_to_no_namespace_whose_name_is_no_identifier;
    ErrorsAreTerse breaks
        get_of_an_unknown_id_is_not_found_and_names_it,
        update_of_an_unknown_id_is_not_found_and_names_it,
        delete_of_an_unknown_id_is_not_found_and_names_it,
        delete_namespace_that_holds_containers_fails_and_tells_what_it_holds,
        delete_namespace_that_holds_records_fails_and_counts_them_by_kind;
    UnknownNamespaceIsInvalid breaks
        get_in_an_unknown_namespace_is_not_found,
        list_of_an_unknown_namespace_is_empty,
        a_page_of_an_unknown_namespace_is_empty;
    BadIdIsInvalid breaks
        get_of_what_is_no_identifier_is_not_found,
        update_of_what_is_no_identifier_is_not_found,
        delete_of_what_is_no_identifier_is_not_found;
    ReadsMakeTheNamespace breaks
        get_does_not_bring_a_namespace_into_being, list_does_not_bring_a_namespace_into_being;
    GetTouches breaks get_changes_nothing;
    FindIsGet breaks find_gives_what_get_gives_and_nothing_where_there_is_nothing;
    // list
    NoFilterIsNothing breaks list_without_filters_gives_all;
    ListLosesLabels breaks list_gives_what_get_gives;
    ListIsInOrderOfCreation breaks list_is_ordered_by_id_bytewise;
    HeadersLoseLabels breaks headers_are_what_is_stored_without_its_large_parts;
    HeadersHaveNoExtensions breaks headers_have_the_extensions_that_were_asked_for_and_no_others;
    LenientSuspectsAll breaks list_lenient_finds_no_damage_in_a_whole_store;
    ListStopsAt100 breaks list_of_many_containers_gives_each_once;
    CountIsAlwaysOfAll breaks all_selectors_of_a_filter_must_match;
    // paging
    PageRepeatsItsBegin breaks pages_join_to_the_whole_list;
    PageBeginMustExist breaks a_page_begins_behind_an_id_that_need_not_exist;
    PageBeginIsAnIdentifier breaks a_page_begins_behind_what_is_no_identifier;
    PagesWrapAround breaks a_page_behind_the_last_container_is_empty;
    PageOfNoneIsAll breaks a_page_of_none_is_empty;
    PageCountsBeforeItFilters breaks a_page_counts_only_containers_that_match;
    // filters
    EmptyFilterIsNothing breaks the_empty_filter_finds_everything;
    OnlyTheFirstFilter breaks a_container_is_found_once_if_any_filter_finds_it;
    ManyFiltersFindTwice breaks a_container_is_found_once_if_any_filter_finds_it;
    AnySelectorWillDo breaks all_selectors_of_a_filter_must_match;
    FiltersAreNegated breaks
        a_field_alone_asks_whether_it_is_present,
        equality_asks_for_a_present_and_equal_field,
        inequality_finds_an_absent_field_unless_the_value_is_empty,
        bytes_that_are_no_text_find_nothing,
        an_unknown_field_is_absent_and_no_error,
        a_regular_expression_finds_its_match_anywhere,
        classes_of_regular_expressions_are_ascii,
        a_dot_of_a_regular_expression_is_one_code_point,
        white_space_before_fields_operators_and_values_is_ignored,
        filters_of_records_know_no_field_of_containers;
    AbsentNeverMatches breaks
        inequality_finds_an_absent_field_unless_the_value_is_empty,
        a_regular_expression_tests_an_absent_field_as_empty;
    FiltersMissTheSandbox breaks every_plain_field_is_found_by_its_name;
    FiltersMissTheRuntime breaks parts_behind_a_plain_field_are_ignored;
    FiltersMissTheType breaks filters_of_records_know_the_type_of_the_value;
    FiltersMissExtensions breaks an_extension_is_present_and_its_value_is_its_type;
    FiltersMissDottedLabels breaks parts_of_a_label_are_joined_by_dots;
    FiltersMissOddLabels breaks quotes_and_escapes_spell_any_key_and_value;
    FiltersFoldCase breaks values_are_compared_byte_by_byte;
    FiltersSeeTheFirstVersion breaks filters_find_what_updates_made;
    // full updates
    UpdateCreates breaks
        update_of_an_unknown_id_is_not_found_and_names_it,
        update_in_an_unknown_namespace_is_not_found_and_makes_none,
        apply_to_an_unknown_id_is_not_found;
    EmptyIdIsNotFound breaks
        update_of_an_empty_id_is_invalid, update_if_of_an_empty_id_is_invalid;
    MaskIsCheckedFirst breaks update_of_an_unknown_id_is_not_found_also_with_a_bad_mask;
    UpdateReturnsTheInput breaks update_then_get_gives_what_update_returned;
    FullUpdateKeepsTheSpec breaks
        a_full_update_replaces_labels_spec_and_extensions,
        a_full_update_of_a_record_replaces_labels_and_value,
        put_of_a_taken_id_replaces_labels_and_value;
    FullUpdateMerges breaks
        a_full_update_removes_what_the_input_lacks,
        put_replaces_the_extensions,
        an_extension_that_was_removed_does_not_come_back;
    RuntimeNameMayChange breaks
        a_full_update_refuses_another_runtime_name_and_names_the_field;
    SnapshotterMayChange breaks a_full_update_refuses_another_snapshotter_and_names_the_field;
    CreatedAtMoves breaks update_keeps_created_at, put_keeps_created_at_and_moves_updated_at;
    UpdatedAtIsTheClock breaks
        update_moves_updated_at_strictly_forward,
        update_of_nothing_moves_updated_at,
        an_update_of_what_was_imported_is_later_than_its_times;
    NothingIsNoUpdate breaks update_of_nothing_moves_updated_at;
    UpdateTouchesAll breaks update_changes_no_other_container, put_changes_nothing_else;
    FailedUpdateIsKept breaks
        update_validates_its_result_and_a_failed_one_changes_nothing,
        one_bad_path_and_nothing_changes,
        apply_of_an_invalid_change_changes_nothing;
    // masks
    MaskIsFull breaks
        the_path_labels_replaces_all_labels_and_nothing_else,
        the_path_of_a_label_sets_that_label_only,
        the_path_of_what_it_is_about_replaces_that_and_nothing_else,
        the_path_extensions_replaces_all_extensions_and_nothing_else,
        the_path_of_an_extension_sets_that_extension_only,
        update_if_takes_a_mask,
        apply_changes_the_labels_that_it_names,
        apply_of_all_labels_replaces_them,
        apply_changes_spec_and_extensions_of_a_container;
    KeysEndAtADot breaks
        the_path_of_a_label_takes_dots_into_the_key,
        the_path_of_an_extension_takes_dots_into_the_name;
    KeysLoseTheirQuotes breaks quotes_in_a_path_are_a_part_of_a_key_that_has_them;
    EmptyValuesAreStored breaks
        a_label_with_an_empty_value_is_not_stored_by_create,
        a_label_with_an_empty_value_is_removed_by_a_full_update,
        a_label_with_an_empty_value_is_removed_by_the_path_labels,
        the_path_of_a_label_with_an_empty_value_removes_it,
        create_namespace_drops_labels_with_empty_values,
        set_label_with_an_empty_value_removes_the_label;
    EmptyValuesAreDropped breaks
        an_empty_label_is_stored_by_every_way_to_write,
        an_empty_label_is_present_and_equal_to_the_empty_text,
        the_path_of_a_label_removes_it_only_where_the_input_lacks_it,
        create_namespace_keeps_labels_with_empty_values;
    AbsentLabelStays breaks the_path_of_a_label_that_the_input_lacks_removes_it;
    AbsentExtensionIsEmpty breaks the_path_of_an_extension_that_the_input_lacks_removes_it;
    RemovingNothingFails breaks
        a_path_that_removes_what_is_not_there_is_no_error,
        the_path_of_a_label_that_nobody_has_is_no_error;
    OnlyTheFirstPath breaks
        several_paths_are_taken_together_and_in_any_order,
        paths_of_labels_and_of_what_it_is_about_add_up,
        apply_changes_the_labels_that_it_names;
    MaskedInputIsValidated breaks
        what_no_path_names_is_not_looked_at, labels_that_no_path_names_are_not_looked_at;
    ApplyOfNothingIsDone breaks apply_of_no_change_is_invalid_and_changes_nothing;
    BadPathsAreSkipped breaks
        a_path_that_cannot_be_updated_is_invalid_and_named, one_bad_path_and_nothing_changes,
        quotes_around_a_key_that_has_none_are_invalid;
    // rules
    DifferencesAreIgnored breaks
        a_strict_full_update_refuses_another_image,
        a_strict_full_update_refuses_another_snapshot_key,
        a_strict_full_update_refuses_other_runtime_options,
        a_strict_full_update_refuses_another_sandbox;
    OnlyTheFirstDifferenceIsTold breaks a_strict_full_update_names_every_field_that_differs;
    StrictTakesAllPaths breaks the_strict_rules_know_no_path_to_image_and_snapshot_key;
    ImageAndKeyNeverChange breaks
        a_containerd2_full_update_replaces_image_and_snapshot_key,
        the_containerd2_path_image_replaces_the_image_and_nothing_else,
        the_containerd2_path_snapshotkey_replaces_the_key_and_nothing_else;
    OptionsAndSandboxAreReplaced breaks
        a_containerd2_full_update_ignores_other_runtime_options,
        a_containerd2_full_update_ignores_another_sandbox;
    // put
    PutIsCreate breaks put_of_a_taken_id_replaces_labels_and_value;
    PutCreatesNothing breaks put_of_a_new_id_creates;
    PutDeletesFirst breaks put_keeps_created_at_and_moves_updated_at;
    PutRefusesAsAnUpdateDoes breaks
        put_of_another_runtime_or_snapshotter_is_a_failed_precondition_and_names_the_field,
        a_strict_put_of_another_image_snapshot_or_sandbox_names_every_field_that_differs;
    // import
    ImportSetsTheTimes breaks import_keeps_the_times_of_the_caller;
    ImportKeepsTheRevision breaks import_sets_the_revision_itself;
    ImportTakesAnyTimes breaks import_of_what_was_updated_before_it_was_created_is_invalid;
    // delete
    DeleteDoesNothing breaks delete_then_get_is_not_found, delete_leaves_nothing_to_find;
    DeleteIsLenient breaks
        delete_of_an_unknown_id_is_not_found_and_names_it,
        delete_in_an_unknown_namespace_is_not_found_and_makes_none,
        delete_twice_is_not_found;
    DeleteLeavesExtensions breaks delete_leaves_nothing_to_a_container_that_takes_the_id;
    DeleteLeavesLabels breaks delete_leaves_nothing_to_a_container_that_takes_the_id;
    DeleteTakesPrefixes breaks delete_removes_no_other_container;
    // labels, extensions, limits
    EmptyKeysAreStored breaks
        a_label_with_an_empty_key_is_invalid_whatever_its_value,
        an_extension_with_an_empty_name_is_invalid,
        create_namespace_refuses_a_label_with_an_empty_key_and_makes_none,
        set_label_refuses_an_empty_key_and_makes_no_namespace;
    KeysAreTrimmed breaks
        keys_and_values_of_labels_are_any_text, names_of_extensions_are_any_text;
    EmptyExtensionIsUnset breaks an_empty_extension_is_stored;
    NoLimits breaks
        a_label_has_at_most_4096_bytes_key_and_value_together,
        a_label_that_is_set_by_its_path_has_the_same_limit,
        a_label_of_a_namespace_has_the_same_limit,
        an_extension_name_has_its_limit,
        a_plain_text_has_its_limit,
        the_type_of_a_value_has_its_limit,
        labels_have_a_limit_to_their_number,
        labels_of_namespaces_have_a_limit_to_their_number,
        extensions_have_a_limit_to_their_number,
        extensions_have_a_limit_to_what_they_are_together,
        a_value_beyond_the_limit_is_invalid;
    LimitsAreOneTooLow breaks
        a_label_has_at_most_4096_bytes_key_and_value_together,
        a_label_that_is_set_by_its_path_has_the_same_limit,
        a_label_of_a_namespace_has_the_same_limit,
        an_extension_name_has_its_limit,
        a_plain_text_has_its_limit,
        labels_have_a_limit_to_their_number,
        labels_of_namespaces_have_a_limit_to_their_number,
        extensions_have_a_limit_to_their_number;
    LabelsAreMeasuredInCharacters breaks a_label_is_measured_in_bytes;
    // revisions
    RevisionsCountPerNamespace breaks
        every_write_gets_a_later_revision_than_all_before_it,
        revisions_are_one_sequence_over_containers_and_records;
    RevisionsStandStill breaks
        every_write_gets_a_later_revision_than_all_before_it,
        update_if_of_an_older_revision_fails_and_changes_nothing;
    ListLosesTheRevision breaks every_way_to_read_gives_the_same_revision;
    FailedWriteMovesTheRevision breaks a_failed_write_leaves_the_revision;
    UpdateIfAlwaysFails breaks
        update_if_of_the_stored_revision_updates, put_if_of_the_stored_revision_replaces;
    UpdateIfIsUpdate breaks
        update_if_of_an_older_revision_fails_and_changes_nothing,
        update_if_of_no_revision_fails,
        update_if_tells_a_container_from_the_one_that_had_its_id_before,
        apply_if_the_revision_is_another_fails_and_changes_nothing,
        put_if_of_another_revision_fails_and_changes_nothing;
    UpdateIfOfNothingIsStale breaks
        update_if_of_an_unknown_id_is_not_found,
        put_if_of_an_unknown_id_is_not_found_and_creates_nothing;
    DeleteIfAlwaysFails breaks delete_if_of_the_stored_revision_deletes;
    DeleteIfIsDelete breaks delete_if_of_another_revision_fails_and_deletes_nothing;
    DeleteIfOfNothingIsStale breaks delete_if_of_an_unknown_id_is_not_found;
    // records
    AnyKindWillDo breaks a_kind_of_records_is_an_identifier_and_not_reserved;
    RecordIdsAreIdentifiers breaks
        the_id_of_a_record_is_free_text, ids_of_records_are_ordered_bytewise;
    OneKindForAll breaks records_of_two_kinds_do_not_know_each_other;
    DeleteTakesTheTwin breaks a_record_and_a_container_of_the_same_id_do_not_know_each_other;
    KindsStayWhenEmpty breaks record_kinds_tells_what_a_namespace_holds;
    DeleteNamespaceTakesRecords breaks
        delete_namespace_that_holds_records_fails_and_counts_them_by_kind;
    // namespaces
    DefaultIsAlwaysThere breaks a_fresh_store_has_no_namespaces;
    CreateNamespaceLosesLabels breaks a_created_namespace_is_listed_and_has_its_labels;
    NamespacesAreBackwards breaks namespaces_are_ordered_bytewise;
    VersionIsReserved breaks no_name_of_a_namespace_or_a_container_is_reserved;
    CreateNamespaceOverwrites breaks
        create_namespace_of_a_known_name_is_already_exists_and_changes_nothing,
        create_namespace_of_one_that_a_container_made_is_already_exists;
    NamesAreNotChecked breaks
        create_namespace_refuses_a_name_that_is_no_identifier,
        set_label_refuses_a_name_that_is_no_identifier,
        a_namespace_has_at_most_76_bytes;
    LabelsOfNothingAreNotFound breaks labels_of_an_unknown_namespace_are_empty;
    SetLabelReplacesAll breaks set_label_sets_and_replaces_one_label;
    SetLabelNeedsTheNamespace breaks set_label_brings_its_namespace_into_being;
    ContainersInheritLabels breaks labels_of_namespaces_and_containers_are_apart;
    DeleteNamespaceKeepsLabels breaks delete_namespace_removes_it_and_its_labels;
    DeleteNamespaceIsLenient breaks delete_namespace_of_an_unknown_name_is_not_found;
    DeleteNamespaceTakesContainers breaks
        delete_namespace_that_holds_containers_fails_and_tells_what_it_holds;
    DeleteNamespaceTakesPrefixes breaks delete_namespace_leaves_the_others;
    MadeByContentIsNotDeleted breaks
        a_namespace_that_a_container_made_is_one_like_any_other;
    NamespaceGoesWithItsLastContainer breaks
        a_namespace_stays_when_its_last_container_goes, a_namespace_stays_when_its_last_record_goes;
}
