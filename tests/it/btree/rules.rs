//! The rules of records and updates, as the semantics have them.

use std::collections::BTreeMap;

use bayplan::{
    Any, Container, ContainerId, Error, ErrorKind, FieldMask, FieldPath, Labels, Record, RecordId,
    Result, Rules, Stored as _, limits,
};
use chrono::{DateTime, TimeDelta, Utc};

use super::fault::Fault;
use super::{BTreeStore, Kept};

fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::of_kind(ErrorKind::InvalidArgument, message))
}

fn lose_bytes(any: &mut Any) {
    any.value = String::from_utf8_lossy(&any.value).into_owned().into();
}

impl BTreeStore {
    /// Something is no larger than its limit.
    fn check_limit(&self, what: &str, size: usize, limit: usize) -> Result<()> {
        let limit_here = match self.fault {
            Some(Fault::NoLimits) => usize::MAX,
            Some(Fault::LimitsAreOneTooLow) => limit - 1,
            _ => limit,
        };
        if size > limit_here {
            return invalid(format!("{what}: {size} of at most {limit}"));
        }
        Ok(())
    }

    pub(super) fn check_label(&self, key: &str, value: &str) -> Result<()> {
        if key.is_empty() && !self.has(Fault::EmptyKeysAreStored) {
            return invalid("a label with an empty key");
        }
        let size = match self.has(Fault::LabelsAreMeasuredInCharacters) {
            true => key.chars().count() + value.chars().count(),
            false => key.len() + value.len(),
        };
        self.check_limit(&format!("label {key:?}"), size, limits::LABEL_MAX_BYTES)
    }

    /// Checked labels, without those that mean "unset".
    pub(super) fn settled_labels(&self, labels: Labels) -> Result<Labels> {
        let mut settled = Labels::new();
        for (key, value) in labels {
            self.check_label(&key, &value)?;
            let is_kept = match self.keep_empty_labels {
                true => !self.has(Fault::EmptyValuesAreDropped),
                false => self.has(Fault::EmptyValuesAreStored),
            };
            if !value.is_empty() || is_kept {
                settled.insert(self.trimmed(key), value);
            }
        }
        self.check_limit("labels", settled.len(), limits::LABELS_MAX_COUNT)?;
        Ok(settled)
    }

    fn trimmed(&self, key: String) -> String {
        match self.has(Fault::KeysAreTrimmed) {
            true => key.trim().to_owned(),
            false => key,
        }
    }

    fn check_any(&self, what: &str, any: &Any) -> Result<()> {
        self.check_limit(what, any.value.len(), limits::ANY_MAX_BYTES)?;
        self.check_limit(what, any.type_url.len(), limits::TEXT_MAX_BYTES)
    }

    /// A record as it would be stored, if it may be.
    pub(super) fn settled_record(&self, mut record: Record) -> Result<Record> {
        if self.has(Fault::RecordIdsAreIdentifiers) {
            ContainerId::new(record.id.as_str())?;
        }
        if !self.has(Fault::IdsAreNotChecked) {
            RecordId::new(record.id.as_str())?;
        }
        record.labels = self.settled_labels(record.labels)?;
        self.check_any("value", &record.value)?;
        if self.has(Fault::ValuesAreText) {
            lose_bytes(&mut record.value);
        }
        if self.has(Fault::CreateLosesTheSandbox) {
            record.labels.remove("io.kubernetes.pod.name");
        }
        Ok(record)
    }

    /// A container as it would be stored, if it may be.
    pub(super) fn settled_container(
        &self,
        mut container: Container,
        is_update: bool,
    ) -> Result<Container> {
        if !self.has(Fault::IdsAreNotChecked) {
            ContainerId::new(container.id.as_str())?;
        }
        container.labels = self.settled_labels(container.labels)?;
        let mut extensions = BTreeMap::new();
        for (name, value) in container.extensions {
            if name.is_empty() && !self.has(Fault::EmptyKeysAreStored) {
                return invalid("an extension with an empty name");
            }
            let what = format!("extension {name:?}");
            self.check_limit(&what, name.len(), limits::EXTENSION_NAME_MAX_BYTES)?;
            self.check_any(&what, &value)?;
            if value != Any::default() || !self.has(Fault::EmptyExtensionIsUnset) {
                extensions.insert(self.trimmed(name), value);
            }
        }
        self.check_limit("extensions", extensions.len(), limits::EXTENSIONS_MAX_COUNT)?;
        let sizes = extensions
            .iter()
            .map(|(name, any)| name.len() + any.type_url.len() + any.value.len());
        self.check_limit("extensions", sizes.sum(), limits::EXTENSIONS_MAX_BYTES)?;
        container.extensions = extensions;
        if container.runtime.name.is_empty() && !self.has(Fault::RuntimeNameIsOptional) {
            return invalid("runtime.name is required");
        }
        let empty = Some(Any::default());
        if self.has(Fault::EmptySpecIsNone) && container.spec == empty {
            container.spec = None;
        }
        if self.has(Fault::EmptyOptionsAreNone) && container.runtime.options == empty {
            container.runtime.options = None;
        }
        if container.spec.is_none() && !self.has(Fault::SpecIsOptional) {
            return invalid("spec is required");
        }
        let options = container.runtime.options.iter();
        for any in options.chain(&container.spec) {
            self.check_any("spec or options", any)?;
        }
        for text in [
            &container.image,
            &container.runtime.name,
            &container.snapshotter,
            &container.snapshot_key,
            &container.sandbox_id,
        ] {
            self.check_limit("text", text.len(), limits::TEXT_MAX_BYTES)?;
        }
        self.check_snapshot(&container, is_update)?;
        if self.has(Fault::ImagesAreValidated) && container.image.contains(char::is_whitespace) {
            return invalid("image");
        }
        if self.has(Fault::ValuesAreText) {
            let values = container.extensions.values_mut().chain(&mut container.spec);
            for any in values {
                lose_bytes(any);
            }
        }
        if self.has(Fault::CreateLosesTheSandbox) && !is_update {
            container.sandbox_id.clear();
        }
        Ok(container)
    }

    fn check_snapshot(&self, container: &Container, is_update: bool) -> Result<()> {
        let has_key = !container.snapshot_key.is_empty();
        let has_snapshotter = !container.snapshotter.is_empty();
        let optional = match is_update {
            true => self.has(Fault::SnapshotterIsOptionalForUpdates),
            false => self.has(Fault::SnapshotterIsOptional),
        };
        if has_key && !has_snapshotter && !optional {
            return invalid("snapshotter is required with a snapshot key");
        }
        if has_snapshotter && !has_key && self.has(Fault::SnapshotterNeedsAKey) {
            return invalid("snapshot key is required with a snapshotter");
        }
        Ok(())
    }

    pub(super) fn times_of_new<T: Kept>(&self, input: &T) -> (DateTime<Utc>, DateTime<Utc>) {
        let now = (self.clock)();
        match self.fault {
            Some(Fault::CallersTimesAreKept) => input.times(),
            Some(Fault::UpdatedAtIsUnset) => (now, DateTime::UNIX_EPOCH),
            _ => (now, now),
        }
    }

    pub(super) fn times_of_update<T: Kept>(
        &self,
        stored: &T,
        input: &T,
    ) -> (DateTime<Utc>, DateTime<Utc>) {
        let now = (self.clock)();
        let (created, updated) = stored.times();
        let next = now.max(updated + TimeDelta::nanoseconds(1));
        match self.fault {
            Some(Fault::UpdatedAtIsTheClock) => (created, now),
            Some(Fault::CreatedAtMoves) => (next, next),
            Some(Fault::CallersTimesAreKept) => (created, input.times().1),
            _ => (created, next),
        }
    }

    /// Takes from the input what an update of a record takes.
    pub(super) fn apply_to_record(
        &self,
        updated: &mut Record,
        input: &Record,
        mask: &FieldMask,
    ) -> Result<()> {
        let keep_halves = self.has(Fault::FailedUpdateIsKept);
        if !self.has(Fault::BadPathsAreSkipped) && !keep_halves {
            updated.check_mask(input, mask)?;
        }
        if mask.is_full() || self.has(Fault::MaskIsFull) {
            match self.has(Fault::FullUpdateMerges) {
                true => updated.labels.extend(input.labels.clone()),
                false => updated.labels.clone_from(&input.labels),
            }
            if !self.has(Fault::FullUpdateKeepsTheSpec) {
                updated.value.clone_from(&input.value);
            }
            return Ok(());
        }
        if self.has(Fault::MaskedInputIsValidated) {
            self.settled_record(input.clone())?;
        }
        for path in mask.paths().take(self.paths_taken()) {
            match path {
                FieldPath::Labels | FieldPath::Label(_) => {
                    self.take_labels(&mut updated.labels, &input.labels, path)?;
                }
                FieldPath::Value => updated.value.clone_from(&input.value),
                _ if self.has(Fault::BadPathsAreSkipped) => {}
                other => return invalid(format!("field path {:?}", other.to_string())),
            }
        }
        if keep_halves {
            updated.check_mask(input, mask)?;
        }
        Ok(())
    }

    /// How many of the paths of a mask are taken.
    fn paths_taken(&self) -> usize {
        match self.has(Fault::OnlyTheFirstPath) {
            true => 1,
            false => usize::MAX,
        }
    }

    /// The key that a path names.
    fn key_of(&self, key: &str) -> String {
        match self.has(Fault::KeysEndAtADot) {
            true => key.split('.').next().unwrap_or_default().to_owned(),
            false if self.has(Fault::KeysLoseTheirQuotes) => key.replace('"', ""),
            false => key.to_owned(),
        }
    }

    fn take_labels(&self, updated: &mut Labels, input: &Labels, path: &FieldPath) -> Result<()> {
        let FieldPath::Label(key) = path else {
            updated.clone_from(input);
            return Ok(());
        };
        let key = self.key_of(key);
        match input.get(&key) {
            Some(value) => updated.insert(key, value.clone()),
            None if self.has(Fault::AbsentLabelStays) => None,
            None if self.has(Fault::RemovingNothingFails) && !updated.contains_key(&key) => {
                return Err(Error::of_kind(ErrorKind::NotFound, key));
            }
            None => updated.remove(&key),
        };
        Ok(())
    }

    /// Takes from the input what an update of a container takes.
    pub(super) fn apply_to_container(
        &self,
        updated: &mut Container,
        input: &Container,
        mask: &FieldMask,
    ) -> Result<()> {
        let keep_halves = self.has(Fault::FailedUpdateIsKept);
        if !self.has(Fault::BadPathsAreSkipped) && !keep_halves {
            updated.check_mask(input, mask)?;
        }
        if mask.is_full() {
            return self.replace(updated, input);
        }
        if self.has(Fault::MaskIsFull) {
            updated.labels.clone_from(&input.labels);
            updated.spec.clone_from(&input.spec);
            updated.extensions.clone_from(&input.extensions);
            return Ok(());
        }
        if self.has(Fault::MaskedInputIsValidated) {
            self.settled_container(input.clone(), true)?;
        }
        for path in mask.paths().take(self.paths_taken()) {
            self.take(updated, input, path)?;
        }
        if keep_halves {
            updated.check_mask(input, mask)?;
        }
        Ok(())
    }

    fn replace(&self, updated: &mut Container, input: &Container) -> Result<()> {
        let strict = self.rules == Rules::Strict && !self.has(Fault::DifferencesAreIgnored);
        let mut differing = Vec::new();
        let mut differ = |name, differs: bool| {
            if differs {
                differing.push(name);
            }
        };
        differ("image", strict && input.image != updated.image);
        differ(
            "runtime.name",
            input.runtime.name != updated.runtime.name && !self.has(Fault::RuntimeNameMayChange),
        );
        differ(
            "runtime.options",
            strict && input.runtime.options != updated.runtime.options,
        );
        differ(
            "snapshotter",
            input.snapshotter != updated.snapshotter && !self.has(Fault::SnapshotterMayChange),
        );
        differ(
            "snapshot_key",
            strict && input.snapshot_key != updated.snapshot_key,
        );
        differ(
            "sandbox_id",
            strict && input.sandbox_id != updated.sandbox_id,
        );
        if self.has(Fault::OnlyTheFirstDifferenceIsTold) {
            differing.truncate(1);
        }
        if !differing.is_empty() {
            let error = invalid(format!("immutable: {}", differing.join(", ")));
            return error.map_err(Error::about_immutable_field);
        }
        if self.has(Fault::FullUpdateMerges) {
            updated.labels.extend(input.labels.clone());
            updated.extensions.extend(input.extensions.clone());
        } else {
            updated.labels.clone_from(&input.labels);
            updated.extensions.clone_from(&input.extensions);
        }
        if !self.has(Fault::FullUpdateKeepsTheSpec) {
            updated.spec.clone_from(&input.spec);
        }
        if self.rules == Rules::Containerd2 && !self.has(Fault::ImageAndKeyNeverChange) {
            updated.image.clone_from(&input.image);
            updated.snapshot_key.clone_from(&input.snapshot_key);
        }
        if self.has(Fault::OptionsAndSandboxAreReplaced) {
            updated.runtime.options.clone_from(&input.runtime.options);
            updated.sandbox_id.clone_from(&input.sandbox_id);
        }
        Ok(())
    }

    fn take(&self, updated: &mut Container, input: &Container, path: &FieldPath) -> Result<()> {
        let allowed = self.rules == Rules::Containerd2 || self.has(Fault::StrictTakesAllPaths);
        match path {
            FieldPath::Labels | FieldPath::Label(_) => {
                self.take_labels(&mut updated.labels, &input.labels, path)?;
            }
            FieldPath::Spec => updated.spec.clone_from(&input.spec),
            FieldPath::Extensions => updated.extensions.clone_from(&input.extensions),
            FieldPath::Extension(name) => {
                let name = self.key_of(name);
                match input.extensions.get(&name) {
                    Some(value) => updated.extensions.insert(name, value.clone()),
                    None if self.has(Fault::AbsentExtensionIsEmpty) => {
                        updated.extensions.insert(name, Any::default())
                    }
                    None => updated.extensions.remove(&name),
                };
            }
            FieldPath::Image if allowed => {
                if !self.has(Fault::ImageAndKeyNeverChange) {
                    updated.image.clone_from(&input.image);
                }
            }
            FieldPath::SnapshotKey if allowed => {
                if !self.has(Fault::ImageAndKeyNeverChange) {
                    updated.snapshot_key.clone_from(&input.snapshot_key);
                }
            }
            _ if self.has(Fault::BadPathsAreSkipped) => {}
            other => return invalid(format!("field path {:?}", other.to_string())),
        }
        Ok(())
    }
}
