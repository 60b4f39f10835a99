//! Classes by property: the names that may stand in `\p{..}`.
//!
//! They are those of Go's `unicode` package: general categories by their short names and scripts by their
//! long ones. Go up to 1.24 wants each name exactly as it stands in the tables below. Go from 1.25 on
//! (`unicodeTable` in `regexp/syntax/parse.go`) reads names without regard to case, spaces, `_` and `-`,
//! and knows the long names of categories, `Cn`, `LC`, `ASCII` and `Assigned` as well. This follows the
//! newer version. Names that the older one knows mean the same there, except `C`.
//!
//! The `regex` crate knows more names than Go: short ones of scripts (`Latn`), a prefix `Is`, and other
//! properties. So only names listed here are passed to it.

/// The class that matches nothing.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

/// The class that matches every character.
const EVERYTHING: &str = r"[\x{0}-\x{10FFFF}]";

/// The general categories: the short name, then the long ones.
const CATEGORIES: [&[&str]; 38] = [
    &["C", "Other"],
    &["Cc", "Control", "cntrl"],
    &["Cf", "Format"],
    &["Cn", "Unassigned"],
    &["Co", "Private_Use"],
    &["Cs", "Surrogate"],
    &["L", "Letter"],
    &["LC", "Cased_Letter"],
    &["Ll", "Lowercase_Letter"],
    &["Lm", "Modifier_Letter"],
    &["Lo", "Other_Letter"],
    &["Lt", "Titlecase_Letter"],
    &["Lu", "Uppercase_Letter"],
    &["M", "Mark", "Combining_Mark"],
    &["Mc", "Spacing_Mark"],
    &["Me", "Enclosing_Mark"],
    &["Mn", "Nonspacing_Mark"],
    &["N", "Number"],
    &["Nd", "Decimal_Number", "digit"],
    &["Nl", "Letter_Number"],
    &["No", "Other_Number"],
    &["P", "Punctuation", "punct"],
    &["Pc", "Connector_Punctuation"],
    &["Pd", "Dash_Punctuation"],
    &["Pe", "Close_Punctuation"],
    &["Pf", "Final_Punctuation"],
    &["Pi", "Initial_Punctuation"],
    &["Po", "Other_Punctuation"],
    &["Ps", "Open_Punctuation"],
    &["S", "Symbol"],
    &["Sc", "Currency_Symbol"],
    &["Sk", "Modifier_Symbol"],
    &["Sm", "Math_Symbol"],
    &["So", "Other_Symbol"],
    &["Z", "Separator"],
    &["Zl", "Line_Separator"],
    &["Zp", "Paragraph_Separator"],
    &["Zs", "Space_Separator"],
];

/// The scripts. A test compares them with Go's tables.
const SCRIPTS: [&str; 170] = [
    "Adlam",
    "Ahom",
    "Anatolian_Hieroglyphs",
    "Arabic",
    "Armenian",
    "Avestan",
    "Balinese",
    "Bamum",
    "Bassa_Vah",
    "Batak",
    "Bengali",
    "Bhaiksuki",
    "Bopomofo",
    "Brahmi",
    "Braille",
    "Buginese",
    "Buhid",
    "Canadian_Aboriginal",
    "Carian",
    "Caucasian_Albanian",
    "Chakma",
    "Cham",
    "Cherokee",
    "Chorasmian",
    "Common",
    "Coptic",
    "Cuneiform",
    "Cypriot",
    "Cypro_Minoan",
    "Cyrillic",
    "Deseret",
    "Devanagari",
    "Dives_Akuru",
    "Dogra",
    "Duployan",
    "Egyptian_Hieroglyphs",
    "Elbasan",
    "Elymaic",
    "Ethiopic",
    "Garay",
    "Georgian",
    "Glagolitic",
    "Gothic",
    "Grantha",
    "Greek",
    "Gujarati",
    "Gunjala_Gondi",
    "Gurmukhi",
    "Gurung_Khema",
    "Han",
    "Hangul",
    "Hanifi_Rohingya",
    "Hanunoo",
    "Hatran",
    "Hebrew",
    "Hiragana",
    "Imperial_Aramaic",
    "Inherited",
    "Inscriptional_Pahlavi",
    "Inscriptional_Parthian",
    "Javanese",
    "Kaithi",
    "Kannada",
    "Katakana",
    "Kawi",
    "Kayah_Li",
    "Kharoshthi",
    "Khitan_Small_Script",
    "Khmer",
    "Khojki",
    "Khudawadi",
    "Kirat_Rai",
    "Lao",
    "Latin",
    "Lepcha",
    "Limbu",
    "Linear_A",
    "Linear_B",
    "Lisu",
    "Lycian",
    "Lydian",
    "Mahajani",
    "Makasar",
    "Malayalam",
    "Mandaic",
    "Manichaean",
    "Marchen",
    "Masaram_Gondi",
    "Medefaidrin",
    "Meetei_Mayek",
    "Mende_Kikakui",
    "Meroitic_Cursive",
    "Meroitic_Hieroglyphs",
    "Miao",
    "Modi",
    "Mongolian",
    "Mro",
    "Multani",
    "Myanmar",
    "Nabataean",
    "Nag_Mundari",
    "Nandinagari",
    "New_Tai_Lue",
    "Newa",
    "Nko",
    "Nushu",
    "Nyiakeng_Puachue_Hmong",
    "Ogham",
    "Ol_Chiki",
    "Ol_Onal",
    "Old_Hungarian",
    "Old_Italic",
    "Old_North_Arabian",
    "Old_Permic",
    "Old_Persian",
    "Old_Sogdian",
    "Old_South_Arabian",
    "Old_Turkic",
    "Old_Uyghur",
    "Oriya",
    "Osage",
    "Osmanya",
    "Pahawh_Hmong",
    "Palmyrene",
    "Pau_Cin_Hau",
    "Phags_Pa",
    "Phoenician",
    "Psalter_Pahlavi",
    "Rejang",
    "Runic",
    "Samaritan",
    "Saurashtra",
    "Sharada",
    "Shavian",
    "Siddham",
    "SignWriting",
    "Sinhala",
    "Sogdian",
    "Sora_Sompeng",
    "Soyombo",
    "Sundanese",
    "Sunuwar",
    "Syloti_Nagri",
    "Syriac",
    "Tagalog",
    "Tagbanwa",
    "Tai_Le",
    "Tai_Tham",
    "Tai_Viet",
    "Takri",
    "Tamil",
    "Tangsa",
    "Tangut",
    "Telugu",
    "Thaana",
    "Thai",
    "Tibetan",
    "Tifinagh",
    "Tirhuta",
    "Todhri",
    "Toto",
    "Tulu_Tigalari",
    "Ugaritic",
    "Vai",
    "Vithkuqi",
    "Wancho",
    "Warang_Citi",
    "Yezidi",
    "Yi",
    "Zanabazar_Square",
];

/// The class of this name, or all but it, as the crate reads it within brackets and outside.
pub(super) fn class(name: &str, negated: bool) -> Option<String> {
    let sign = if negated { 'P' } else { 'p' };
    if let Some([category, ..]) = CATEGORIES
        .into_iter()
        .find(|names| names.iter().any(|known| is_same(known, name)))
    {
        return Some(match (*category, negated) {
            // A text holds no surrogates, and the crate has no class of them.
            ("Cs", false) => NOTHING.to_owned(),
            ("Cs", true) => EVERYTHING.to_owned(),
            _ => format!("\\{sign}{{gc={category}}}"),
        });
    }
    if let Some(script) = SCRIPTS.into_iter().find(|known| is_same(known, name)) {
        return Some(format!("\\{sign}{{sc={script}}}"));
    }
    let sets = [
        ("Any", EVERYTHING, NOTHING),
        ("ASCII", r"[\x{0}-\x{7F}]", r"[^\x{0}-\x{7F}]"),
        ("Assigned", r"\P{gc=Cn}", r"\p{gc=Cn}"),
    ];
    let (_, inside, outside) = sets.into_iter().find(|(known, ..)| is_same(known, name))?;
    Some(if negated { outside } else { inside }.to_owned())
}

/// Whether two names are the same to Go: case, spaces, `_` and `-` make no difference.
fn is_same(known: &str, name: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = u8> {
        let bytes = name.bytes().filter(|byte| !b" _-".contains(byte));
        bytes.map(|byte| byte.to_ascii_lowercase())
    }
    letters(known).eq(letters(name))
}

#[cfg(test)]
mod tests {
    use regex_syntax::hir::{Class, ClassUnicodeRange, HirKind};

    use super::*;

    /// The names of `unicode.Categories` and `unicode.Scripts` of Go 1.19, with the number of code
    /// points that each has there, in Unicode 13, surrogates aside.
    const CLASSES_OF_GO: &str = include_str!("classes_of_go.txt");

    /// How many code points an expression of the crate matches that Unicode 13 knows.
    fn count(class: &str) -> usize {
        let hir = regex_syntax::parse(&format!(r"[{class}&&\p{{age=13.0}}]")).unwrap();
        match hir.kind() {
            HirKind::Class(class) if class.is_empty() => 0,
            HirKind::Class(Class::Unicode(set)) => {
                set.ranges().iter().map(ClassUnicodeRange::len).sum()
            }
            HirKind::Literal(_) => 1,
            other => panic!("{class} is {other:?}"),
        }
    }

    #[test]
    fn every_class_of_go_is_known_and_holds_the_same() {
        let all = count(EVERYTHING);
        let mut names = 0;
        for line in CLASSES_OF_GO.lines() {
            let (name, expected) = line.split_once(' ').unwrap();
            let expected: usize = expected.parse().unwrap();
            // Unicode has changed its mind about four code points since.
            let expected = match name {
                "Mc" | "Han" => expected + 2,
                "Mn" | "Common" => expected - 2,
                // Those that are no characters count among the unassigned ones.
                "C" => expected + 66,
                _ => expected,
            };
            assert_eq!(count(&class(name, false).unwrap()), expected, "{name}");
            assert_eq!(
                count(&class(name, true).unwrap()),
                all - expected,
                "not {name}"
            );
            names += 1;
        }
        assert_eq!(names, 192);
    }

    #[test]
    fn every_class_that_is_known_is_one_of_go() {
        let go: Vec<&str> = CLASSES_OF_GO
            .lines()
            .filter_map(|line| Some(line.split_once(' ')?.0))
            .collect();
        // Go knows these since it has Unicode 15 and, from 1.25 on, categories by these names.
        let newer = [
            "Cn",
            "LC",
            "Cypro_Minoan",
            "Garay",
            "Gurung_Khema",
            "Kawi",
            "Kirat_Rai",
            "Nag_Mundari",
            "Ol_Onal",
            "Old_Uyghur",
            "Sunuwar",
            "Tangsa",
            "Todhri",
            "Toto",
            "Tulu_Tigalari",
            "Vithkuqi",
        ];
        let categories = CATEGORIES
            .into_iter()
            .filter_map(|names| names.first().copied());
        for name in categories.chain(SCRIPTS) {
            assert!(go.contains(&name) != newer.contains(&name), "{name}");
        }
    }

    #[test]
    fn names_are_read_as_by_go_from_1_25_on() {
        for (name, known) in [
            ("greek", "Greek"),
            ("OLD ITALIC", "Old_Italic"),
            ("old-italic", "Old_Italic"),
            (" L", "L"),
            ("l_u", "Lu"),
            ("uppercase letter", "Lu"),
            ("Combining_Mark", "M"),
            ("Mark", "M"),
            ("digit", "Nd"),
            ("punct", "P"),
            ("cntrl", "Cc"),
            ("Unassigned", "Cn"),
            ("surrogate", "Cs"),
        ] {
            assert_eq!(class(name, false), class(known, false), "{name}");
            assert!(class(known, true).is_some(), "{known}");
        }
        assert_eq!(count(&class("any", false).unwrap()), count(EVERYTHING));
        assert_eq!(count(&class("any", true).unwrap()), 0);
        assert_eq!(count(&class("ascii", false).unwrap()), 128);
        // Unicode 13 knows 66 code points that are no characters, and so are not assigned.
        assert_eq!(count(&class("assigned", true).unwrap()), 66);
        assert_eq!(count(&class("Cs", false).unwrap()), 0);
        assert_eq!(count(&class("Cs", true).unwrap()), count(EVERYTHING));
    }

    #[test]
    fn what_only_the_crate_knows_is_no_class() {
        for name in [
            "",
            "^",
            "^^L",
            "_",
            "Latn",
            "Grek",
            "Hani",
            "Zyyy",
            "IsGreek",
            "isL",
            "Is_Greek",
            "InGreek",
            "Katakana_Or_Hiragana",
            "Unknown",
            "Zzzz",
            "L&",
            "gc=L",
            "sc=Greek",
            "Script=Greek",
            "Alphabetic",
            "Uppercase",
            "White_Space",
            "Emoji",
            "age=3.0",
            "word",
            "alpha",
            "Greekx",
            "Gre\u{e9}k",
        ] {
            for negated in [false, true] {
                assert_eq!(class(name, negated), None, "{name}");
            }
        }
    }
}
