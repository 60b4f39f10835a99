//! Regular expressions have the same meaning as in Go.

use crate::filter::pattern::{Budget, Pattern};
use crate::model::limits::PATTERN_DEPTH_MAX;

#[track_caller]
fn compile(expression: &str) -> Pattern {
    match Pattern::compile(expression, &mut Budget::new()) {
        Ok(pattern) => pattern,
        Err(fault) => panic!("{expression}: {fault:?}"),
    }
}

#[track_caller]
fn yes(expression: &str, text: &str) {
    assert!(
        compile(expression).is_match(text.as_bytes()),
        "{expression} does not match {text:?}"
    );
}

#[track_caller]
fn no(expression: &str, text: &str) {
    assert!(
        !compile(expression).is_match(text.as_bytes()),
        "{expression} matches {text:?}"
    );
}

/// The expression is rejected, at this byte; the message holds these words.
#[track_caller]
fn fails(expression: &str, at: usize, words: &str) {
    let fault = Pattern::compile(expression, &mut Budget::new()).expect_err(expression);
    assert!(fault.message.contains(words), "{expression}: {fault:?}");
    assert!(
        fault.message.starts_with("regular expression: "),
        "{fault:?}"
    );
    assert_eq!(fault.at, at, "{expression}: {fault:?}");
}

#[test]
fn classes_of_one_letter_are_ascii() {
    yes(r"^\d\D\s\S\w\W$", "1a a_-");
    no(r"\d", "١");
    no(r"\w", "é");
    no(r"\s", "\u{a0}\u{b}");
    yes(r"^\s$", "\u{c}");
    yes(r"^[\d]$", "1");
    yes(r"^[^\d]$", "é");
    yes(r"^[\D]$", "é");
    no(r"[^\d\D]", "a1é");
}

#[test]
fn word_boundaries_are_ascii_and_never_within_a_character() {
    yes(r"é\bb", "éb");
    no(r"^\bé", "é");
    yes(r"^\Bé", "é");
    yes(r"a\Bb", "ab");
    no(r"\B", "aéb");
    yes(r"\B", "éé");
    yes(r"\b*a", "a");
}

#[test]
fn a_dot_is_one_character_but_no_line_break() {
    yes("^.$", "牛");
    yes("^.$", "\r");
    no(".", "\n");
    yes("(?s)^.$", "\n");
    no("(?s:a).", "a\n");
}

#[test]
fn anchors_are_those_of_the_text_unless_lines_are_asked_for() {
    no("^b", "a\nb");
    no("a$", "a\n");
    yes("(?m)^b$", "a\nb\nc");
    yes(r"\Aab\z", "ab");
    no(r"(?m)\Ab", "a\nb");
    fails(
        r"a\Z",
        1,
        r"unknown escape `\Z`; the end of the text is `\z`",
    );
}

#[test]
fn flags_hold_to_the_end_of_their_group() {
    yes("(?i)a|B", "b");
    yes("((?i)a)b", "Ab");
    no("((?i)a)b", "AB");
    no("(?i-i)a", "A");
    yes("(?ii)a", "A");
    no("(?i)(?-i)a", "A");
    yes("(?i-s:a).", "A.");
    yes("(?U)a+?", "a");
    yes("(?)a", "a");
    fails("(?-)a", 3, "after `(?` come flags");
    fails("(?i-:a)", 4, "after `(?` come flags");
    fails("(?x)a", 2, "after `(?` come flags");
    fails("(?R)", 2, "after `(?` come flags");
    fails("(?P=n)", 2, "after `(?` come flags");
    fails("a(?i", 1, "never closed");
}

#[test]
fn letter_case_folds_by_unicode() {
    yes("(?i)^k$", "\u{212a}");
    yes("(?i)^ſ$", "S");
    yes("(?i)σ", "ς");
    yes(r"(?i)^\w$", "ſ");
    yes("(?i)^[[:lower:]]$", "K");
    no("(?i)^[[:^lower:]]$", "K");
    no("(?i)ß", "ss");
    no("(?i)i", "İ");
    no("(?i)[^k]", "K");
    yes(r"(?i)^\p{Lu}$", "a");
    no(r"(?i)^\P{Lu}$", "a");
}

#[test]
fn brackets_hold_characters_and_not_sets_of_them() {
    yes("^[]a]+$", "]a");
    yes("^[^]a]$", "b");
    yes("^[a-]+$", "-a");
    yes("^[-a]+$", "-a");
    yes("^[a-b-c]+$", "ab-c");
    yes("^[--/]$", ".");
    yes(r"^[\d-z]+$", "1-z");
    yes("^[a&&b]+$", "a&b");
    yes("^[a~~b]+$", "a~b");
    yes("^[a[b]]$", "[]");
    no("^[a[b]]$", "b");
    yes(r"^[a\]\\]+$", r"]\");
    yes("^[[:a]$", ":");
    yes("^[^a]$", "\n");
    fails("x[a", 1, "the bracket `[` is never closed");
    fails("[]", 0, "the bracket `[` is never closed");
    fails("[z-a]", 1, "the range `z-a` ends before it begins");
    fails("[a--]", 1, "ends before it begins");
    fails(r"[a-\d]", 3, "a range cannot end in a class");
    fails(r"[\b]", 1, r"unknown escape `\b`");
    fails("[[:foo:]]", 1, "there is no character class `[:foo:]`");
}

#[test]
fn named_classes_are_ascii() {
    yes("^[[:alpha:][:digit:]]+$", "a1");
    no("[[:alpha:]]", "é");
    yes("^[[:^alpha:]]$", "é");
    yes("^[[:word:]]$", "_");
    yes("^[[:space:]]$", "\u{b}");
    yes("^[:alpha:]+$", "alp:");
}

#[test]
fn properties_are_categories_and_scripts() {
    yes(r"^\pL\p{Lu}\PN$", "éÉa");
    yes(r"^\p{Greek}\p{^Greek}\P{Greek}\P{^Greek}$", "αaaα");
    yes(r"^[\p{Han}\pN]+$", "牛1");
    yes(r"(?s)^\p{Any}$", "\n");
    yes(r"\p{Old_Italic}|a", "a");
    no(r"\p{Cs}|[\p{Cs}]|(?i)\p{Cs}", "a\u{e000}");
    yes(r"^\P{Cs}[^\p{Cs}](?i)\P{Cs}[\P{Cs}][\p{Cs}a]$", "\nbcda");
    for name in ["Foo", "", "Alphabetic", "sc=Greek", "L&"] {
        let words = "is no general category and no script by its long name";
        fails(&format!(r"a\p{{{name}}}"), 1, words);
    }
    fails(r"a\p{Latn}", 1, "`Latn` is no general category");
    fails(r"[\P{IsGreek}]", 1, "`IsGreek` is no general category");
    fails(r"\pX", 0, "`X` is no general category");
    fails(r"\p{Greek", 0, "never closed");
    fails(r"\p", 0, "`` is no general category");
}

#[test]
fn escapes_are_those_of_go() {
    yes(r"^\a\f\t\n\r\v$", "\x07\x0c\t\n\r\x0b");
    yes(r"^\x41\x{41}\x{1F600}\101\0$", "AA😀A\0");
    yes(r"^\777$", "\u{1ff}");
    yes(r"^\.\-\_\/\#\ $", ".-_/# ");
    yes(r"^\xe9$", "é");
    no(r"\x{D800}", "\u{fffd}");
    yes(r"^[\x{D7FF}-\x{E000}]$", "\u{e000}");
    no(r"[\x{D800}-\x{DFFF}]", "a");
    yes(r"^[^\x{D800}]$", "a");
    for escape in [r"\y", r"\e", r"\E", r"\<", r"\u0041", r"\8", r"\é", r"\_"] {
        let known = [r"\<", r"\_"].contains(&escape);
        assert_eq!(
            Pattern::compile(escape, &mut Budget::new()).is_ok(),
            known,
            "{escape}"
        );
    }
    yes(r"^a\b{start}$", "a{start}");
    fails(r"a\y", 1, r"unknown escape `\y`");
    fails(r"a\", 1, "a backslash at its end");
    fails(r"a\1", 1, "back references");
    fails(r"\x4", 0, r"`\x` takes two hexadecimal digits");
    fails(r"\x4é", 0, r"`\x` takes two hexadecimal digits");
    fails(r"\x{}", 0, r"`\x` takes two hexadecimal digits");
    fails(r"\x{110000}", 0, r"`\x` takes two hexadecimal digits");
    fails(r"\x{41", 0, r"`\x` takes two hexadecimal digits");
    fails(r"\C", 0, "a single byte");
}

#[test]
fn verbatim_text_means_itself() {
    yes(r"^\Qa.b*\E$", "a.b*");
    no(r"^\Qa.b\E$", "axb");
    yes(r"^\Qab\E*$", "abbb");
    yes(r"\Q[(", "[(");
    yes(r"a\Q\E", "a");
    fails(r"[\Qa\E]", 1, r"unknown escape `\Q`");
}

#[test]
fn repetitions_do_not_follow_one_another() {
    yes("^a*?b+?c??$", "ab");
    yes("^(?:a*)*$", "aa");
    yes("^a{2}b{1,}c{0,2}$", "aabbc");
    yes("^$*", "");
    fails("a**", 2, "the repetition `*` follows another");
    fails("a{2}{3}", 4, "the repetition `{3}` follows another");
    fails("a*?+", 3, "the repetition `+` follows another");
    for expression in ["*", "+a", "{2}", "(*)", "(?i)*"] {
        let at = expression.find(['*', '+', '{']).unwrap_or_default();
        fails(expression, at, "there is nothing that");
    }
    fails("a|*", 2, "there is nothing that `*` could repeat");
    yes("^a*(?i)*$", "aa");
}

#[test]
fn braces_that_are_no_repetition_mean_themselves() {
    for (expression, text) in [
        ("a{", "a{"),
        ("a{,2}", "a{,2}"),
        ("a{01}", "a{01}"),
        ("{a}", "{a}"),
    ] {
        yes(&format!("^{expression}$"), text);
    }
    yes("^a{2$", "a{2");
    yes("^a*{$", "{");
}

#[test]
fn repetitions_are_at_most_a_thousand_nested_ones_multiplied() {
    yes("a{1000}", &"a".repeat(1000));
    yes("(a{50}){20}", &"a".repeat(1000));
    yes("(?:a{1000}){0}", "");
    yes("(?:(?:a{1000}){0}b){2}", "bb");
    yes("(?:a{1000}|(?:a{1000}){0}){1}", "");
    let words = "at most 1000 repetitions";
    fails("a{1001}", 1, words);
    fails("a{2,1001}", 1, words);
    fails("a{99999999999}", 1, words);
    fails("(a{50}){21}", 7, words);
    fails("(?:b|a{50,}){21}", 12, words);
    fails("a{2,1}", 1, "second count is less");
}

#[test]
fn groups_capture_nothing_and_may_share_a_name() {
    yes("^(?P<n>a)(?<n>b)(?:c)(d)$", "abcd");
    yes("^()$", "");
    yes("^(a|)(|b)$", "ab");
    yes("||", "");
    let words = "a group's name is letters, digits and `_`";
    fails("(?P<>a)", 0, words);
    fails("(?P<a b>a)", 0, words);
    fails("(?P<é>a)", 0, words);
    fails("x(?P<n", 1, words);
    for expression in ["(?=a)", "(?!a)", "(?<=a)", "(?<!a)"] {
        fails(expression, 0, "looking ahead and behind is not available");
    }
    fails("a(b(c)", 1, "the group `(` is never closed");
    fails("a)", 1, "this `)` closes no group");
}

#[test]
fn nesting_is_limited_and_the_limit_can_be_used() {
    let nested = |depth: usize| format!("{}a{}", "(?:x|".repeat(depth), ")".repeat(depth));
    let most = PATTERN_DEPTH_MAX as usize;
    yes(&nested(most), "a");
    fails(&nested(most + 1), 5 * most, "nest more than 100 deep");
    let repeated = |depth: usize| format!("(?i){}[a]{}", "(b|".repeat(depth), ")+".repeat(depth));
    yes(&repeated(most / 2), "A");
    fails(&repeated(most / 2 + 1), 4, "nest more than 100 deep");
    let chained = |depth: usize| format!("a{}", "*(?i)".repeat(depth));
    yes(&chained(most), "a");
    fails(&chained(most + 1), 1 + 5 * most, "nest more than 100 deep");
}

#[test]
fn white_space_and_number_signs_are_plain() {
    yes("^a b#c$", "a b#c");
    no("a b", "ab");
}
