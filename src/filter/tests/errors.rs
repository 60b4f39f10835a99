//! The errors of filters that do not parse.

use proptest::prelude::*;

use crate::filter::{Filter, FilterError, Filters};
use crate::model::limits::{FILTER_MAX_BYTES, PATTERN_CLASSES_MAX_COUNT, PATTERNS_MAX_COUNT};

/// The filter does not parse, for this reason, at this byte.
#[track_caller]
fn fails(text: &str, at: usize, message: &str) {
    let error = Filter::parse(text).expect_err(text);
    assert_eq!(
        (error.message(), error.position()),
        (message, at),
        "{error}"
    );
    assert_eq!((error.filter(), error.index()), (text, None));
}

#[test]
fn a_missing_field_is_told() {
    let expected = |found| {
        format!("expected a field: letters, digits and `_`, or double quotes; found {found}")
    };
    let end = "the end of the filter";
    fails(" ", 1, &expected(end));
    fails(",", 0, &expected("`,`"));
    fails("id,", 3, &expected(end));
    fails("id==a,", 6, &expected(end));
    fails("id==a,,id", 6, &expected("`,`"));
    fails("labels.", 7, &expected(end));
    fails("labels..a", 7, &expected("`.`"));
    fails(".a", 0, &expected("`.`"));
    fails("labels.?", 7, &expected("`?`"));
    fails("labels.|a|", 7, &expected("`|`"));
    fails("labels./a/", 7, &expected("`/`"));
    fails("牛==a", 0, &expected("`牛`"));
    fails("==a", 0, &expected("`=`"));
    fails(
        "id,\u{1b}",
        3,
        &expected("the unprintable character U+001B"),
    );
}

#[test]
fn a_missing_or_unknown_operator_is_told() {
    let expected = "expected an operator (`==`, `!=` or `~=`), found";
    fails("id ", 3, &format!("{expected} the end of the filter"));
    fails("id ,image", 3, &format!("{expected} `,`"));
    fails("id web", 3, &format!("{expected} `w`"));
    fails("id\"a\"", 2, &format!("{expected} `\"`"));
    let unknown = |symbol| format!("unknown operator `{symbol}`; expected `==`, `!=` or `~=`");
    fails("id=a", 2, &unknown("="));
    fails("id===a", 2, &unknown("==="));
    fails("id=!a", 2, &unknown("=!"));
    fails("id~a", 2, &unknown("~"));
    fails("id==~a", 2, &unknown("==~"));
    fails(
        &format!("id{}", "=".repeat(30)),
        2,
        &unknown(&format!("{}…", "=".repeat(24))),
    );
}

#[test]
fn a_field_that_needs_quotes_is_told_so() {
    let expected = |found| {
        format!(
            "expected an operator, `.` or `,` after the field, found `{found}`; a field with other \
             characters than letters, digits and `_` is put in double quotes"
        )
    };
    fails("labels.my-app==x", 9, &expected('-'));
    fails("labels.example.com/tier==x", 18, &expected('/'));
    fails("labels.größe", 9, &expected('ö'));
    fails("id?", 2, &expected('?'));
    fails("\"a\"b", 3, &expected('b'));
}

#[test]
fn a_missing_value_is_told() {
    fails(
        "id==",
        4,
        "expected a value after `==`, found the end of the filter",
    );
    fails(
        "id~= ",
        5,
        "expected a value after `~=`, found the end of the filter",
    );
    fails("id!=,image", 4, "expected a value after `!=`, found `,`");
    fails(
        "id==\u{1b}[2J",
        4,
        "expected a value after `==`, found the unprintable character U+001B",
    );
    fails(
        "id==\u{200b}",
        4,
        "expected a value after `==`, found the unprintable character U+200B",
    );
    let quotes = "a value that begins with it is put in double quotes";
    fails(
        "id~=.*",
        4,
        &format!("expected a value after `~=`, found `.`; {quotes}"),
    );
    fails(
        "id== =a",
        5,
        &format!("expected a value after `==`, found `=`; {quotes}"),
    );
}

#[test]
fn quotes_of_expressions_around_a_value_are_told() {
    let only = |quote| {
        format!(
            "`{quote}` quotes only a regular expression, after `~=`; put a value that begins with \
             it in double quotes"
        )
    };
    fails("id==/a/", 4, &only('/'));
    fails("image!=|a|", 7, &only('|'));
}

#[test]
fn input_after_a_value_is_told() {
    fails(
        "id==a b",
        5,
        "expected `,` or the end right after the value, found white space; a value with spaces is \
         put in double quotes",
    );
    fails(
        "id==\"a\"b",
        7,
        "expected `,` or the end after the value, found `b`",
    );
    fails(
        "id~=/a/i",
        7,
        "expected `,` or the end after the value, found `i`",
    );
    let format = "expected `,` or the end after the value, found the unprintable character U+202E";
    fails("id==a\u{202e}", 5, format);
}

#[test]
fn faults_within_quotes_are_told() {
    fails("id==\"abc", 4, "the quote `\"` is never closed");
    fails("id==\"abc\\", 4, "the quote `\"` is never closed");
    fails("id~=/abc", 4, "the quote `/` is never closed");
    fails("labels.\"", 7, "the quote `\"` is never closed");
    fails(
        "id==\"a\nb\"",
        6,
        "a line break within quotes; write it as the escape `\\n`",
    );
    let unknown =
        |c| format!("unknown escape `\\{c}`; within quotes a backslash is written `\\\\`");
    fails(r#"id~="a\d""#, 6, &unknown('d'));
    fails(r#"id=="\/""#, 5, &unknown('/'));
    fails(r#"id~=/\"/"#, 5, &unknown('"'));
    fails(r#"id=="\'""#, 5, &unknown('\''));
    fails(r#"id=="\8""#, 5, &unknown('8'));
    fails(
        "id==\"\\\u{7f}\"",
        5,
        "a backslash before the unprintable character U+007F is not an escape",
    );
    fails(
        r#"id=="\xag""#,
        5,
        "this escape takes 2 hexadecimal digits; found `g`",
    );
    fails(
        r#"id=="\18""#,
        5,
        "this escape takes 3 octal digits; found `8`",
    );
    fails(
        r#"id=="\u00e""#,
        5,
        "this escape takes 4 hexadecimal digits; found `\"`",
    );
    fails(
        r#"id=="\400""#,
        5,
        "an octal escape goes up to `\\377`, one byte",
    );
    fails(
        r#"id=="\U00110000""#,
        5,
        "the last Unicode character is `\\U0010ffff`",
    );
}

#[test]
fn characters_that_no_filter_may_hold_are_told() {
    fails(
        "id==a\0",
        5,
        "a NUL character; within quotes it can be written `\\x00`",
    );
    fails(
        "id==\"\u{fffd}\"",
        5,
        "U+FFFD, a sign of text that was not UTF-8; within quotes it can be written `\\ufffd`",
    );
}

#[test]
fn the_place_in_an_expression_is_the_place_in_the_filter() {
    fails("id~=ab)", 6, "regular expression: this `)` closes no group");
    fails(
        "id,id~= ab)",
        10,
        "regular expression: this `)` closes no group",
    );
    fails(
        r#"id~="\\d\x41é)""#,
        14,
        "regular expression: this `)` closes no group",
    );
    fails(
        r"id~=/a\/b)/",
        9,
        "regular expression: this `)` closes no group",
    );
    fails(r#"id~="a\xff""#, 6, "a regular expression must be UTF-8");
    fails(r#"id~="\x61("#, 4, "the quote `\"` is never closed");
}

#[test]
fn limits_are_told_and_hold() {
    let longest = format!("id=={}", "a".repeat(FILTER_MAX_BYTES - 4));
    assert!(Filter::parse(&longest).is_ok());
    let error = Filter::parse(&format!("{longest}é")).unwrap_err();
    assert_eq!(
        error.message(),
        "the filter is 65538 bytes long; at most 65536 are allowed"
    );
    assert_eq!(error.filter(), longest);

    let most = vec!["id~=a"; PATTERNS_MAX_COUNT].join(",");
    assert!(Filter::parse(&most).is_ok());
    let error = Filters::parse([most.as_str(), "id", "image~=a"]).unwrap_err();
    assert_eq!(
        error.message(),
        "more than 64 regular expressions in one list of filters"
    );
    assert_eq!((error.index(), error.position()), (Some(2), 7));

    let most = format!("id~=(?i){}", "[a]".repeat(PATTERN_CLASSES_MAX_COUNT));
    assert!(Filter::parse(&most).is_ok());
    let error = Filters::parse([most.as_str(), "id~=(?i)[a]"]).unwrap_err();
    assert_eq!(
        error.message(),
        "regular expression: more than 256 classes by property or without regard to case in one \
         list of filters"
    );
    assert_eq!((error.index(), error.position()), (Some(1), 8));
    fails(
        r"id~=\pL{1000}",
        4,
        "the regular expression is too large: compiled, it exceeds 4194304 bytes",
    );
}

#[test]
fn an_error_says_which_of_several_filters_it_is() {
    let error = Filters::parse(["id", "id=", "image"]).unwrap_err();
    assert_eq!(
        (error.index(), error.filter(), error.position()),
        (Some(1), "id=", 2)
    );
    assert_eq!(
        error.to_string(),
        "filter 2: unknown operator `=`; expected `==`, `!=` or `~=`\n  id=\n    ^"
    );
}

#[test]
fn an_expression_that_is_built_is_shown_alone() {
    let error = Filter::image().matches(r"^docker\.io/(").unwrap_err();
    assert_eq!((error.filter(), error.position()), (r"^docker\.io/(", 12));
}

/// The filter and the caret line, as shown.
#[track_caller]
fn shows(text: &str, line: &str, caret: &str) {
    let shown = Filter::parse(text).unwrap_err().to_string();
    let lines: Vec<&str> = shown.lines().skip(1).collect();
    assert_eq!(lines, [format!("  {line}"), format!("  {caret}")]);
}

#[test]
fn the_caret_counts_characters_as_they_are_shown() {
    shows("id==", "id==", "    ^");
    shows(
        "labels.\"größe\"=x",
        "labels.\"größe\"=x",
        "              ^",
    );
    shows(
        "id==\"\u{1b}[2J\"x",
        "id==\"\\u{1b}[2J\"x",
        "               ^",
    );
    shows("a\nb", "a\\nb", "   ^");
    shows("id==a\u{202e}b", "id==a\\u{202e}b", "     ^");
    shows(" ", " ", " ^");
}

#[test]
fn a_long_filter_is_shown_around_the_place() {
    let (a, b) = ("a".repeat(100), "b".repeat(100));
    let at_start = format!("={a}");
    shows(&at_start, &format!("={}…", "a".repeat(77)), "^");
    let at_end = format!("{a}=");
    shows(
        &at_end,
        &format!("…{}=", "a".repeat(77)),
        &format!("{:>79}", "^"),
    );
    let within = format!("{a}={b}");
    let line = format!("…{}={}…", "a".repeat(50), "b".repeat(27));
    shows(&within, &line, &format!("{:>52}", "^"));
    let fits = format!("{}=", "a".repeat(77));
    shows(&fits, &fits, &format!("{:>78}", "^"));
}

#[test]
fn the_error_is_small_and_an_error_for_all_threads() {
    fn is_error<T: std::error::Error + Send + Sync + Clone + Eq + 'static>() {}
    is_error::<FilterError>();
    assert_eq!(size_of::<FilterError>(), size_of::<usize>());
}

/// Text that sometimes looks like a filter.
fn nearly_a_filter() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "id", "labels", "a", ".", ",", "==", "!=", "~=", "=", " ", "\n", "\"", "/", "|", "\\",
        "\\x", "\\n", "\\u00e9", "(", ")", "[", "]", "[^", "*", "{2}", "(?i)", "\\pL", "\\Q", "é",
        "\u{1b}", "\u{fffd}", "\u{202e}",
    ]);
    prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn no_text_makes_parsing_or_showing_panic(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn no_text_that_is_nearly_a_filter_does_either(text in nearly_a_filter()) {
        check(&text);
    }
}

/// Parses twice, alike; an error is well formed.
fn check(text: &str) {
    let parsed = Filter::parse(text);
    assert_eq!(parsed, Filter::parse(text));
    let Err(error) = parsed else { return };
    assert!(text.is_char_boundary(error.position()), "{error}");
    let shown = error.to_string();
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(
        !shown.contains(|c: char| c.is_control() && c != '\n'),
        "{shown:?}"
    );
    for line in shown.lines().skip(1) {
        assert!(line.chars().count() <= 82, "{shown}");
    }
}
