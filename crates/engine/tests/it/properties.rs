//! Random templates: no panic, no hang, no value beyond its bounds.

use proptest::prelude::*;

use crate::target;

/// Pieces that make a template more often than random characters do.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{ ",
    " }}",
    "{{- ",
    " -}}",
    ".a",
    ".b",
    ".nope",
    "$",
    "$x",
    " := ",
    " = ",
    " | ",
    "(",
    ")",
    " ",
    "\n",
    "if ",
    "else",
    "end",
    "range ",
    "with ",
    "define \"t\"",
    "template \"t\" .",
    "block \"b\" .",
    "break",
    "continue",
    "nil",
    "true",
    "1",
    "-1",
    "1.5",
    "0x1f",
    "'a'",
    "\"x\"",
    "\"%d %s %q\"",
    "`raw`",
    "9223372036854775807",
    "1e300",
    ", ",
    "$k, $v := .",
    "/* c */",
    "and ",
    "or ",
    "not ",
    "eq ",
    "lt ",
    "index . \"a\"",
    "len ",
    "printf ",
    "print ",
    "println ",
    "upper",
    "title",
    "quote",
    "squote",
    "replace \"a\" \"bb\"",
    "replace \"\" \"xxxx\"",
    "split \",\"",
    "splitList \"\"",
    "join \",\"",
    "indent 999999",
    "nindent 2",
    "trunc -3",
    "substr 1 2",
    "toString",
    "regexReplaceAll \"(a|b)*\" .a \"$0$0\"",
    "regexMatch \"((a+)+)+$\"",
    "b64enc",
    "b64dec",
    "toJson",
    "toPrettyJson",
    "fromJson",
    "toYaml",
    "fromYaml",
    "sha256sum",
    "urlquery",
    "int",
    "int64",
    "atoi",
    "add 1",
    "mul 99999999",
    "div 1",
    "now",
    "date \"2006\"",
    "dateInZone \"MST\" 0 \"Europe/Berlin\"",
    "default .a",
    "empty",
    "coalesce",
    "ternary 1 2",
    "fail",
    "dict \"k\"",
    "list ",
    "get",
    "hasKey",
    "keys",
    "first",
    "last",
    "printf \"%999999d\"",
    "range 99999999",
    "{{ range $i, $e := list 1 2 3 }}",
    "{{ $x = list $x $x }}",
    "a: &x [*x]\n",
    "- ",
    ": ",
];

fn template() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES).prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![20 => piece, 1 => "\\PC{0,3}"], 0..40)
        .prop_map(|all| all.concat())
}

/// One whole action of a few words.
fn action() -> impl Strategy<Value = String> {
    let word = prop::sample::select(PIECES).prop_filter("a word", |word| !word.contains("{{"));
    let action = prop::collection::vec(word, 1..6)
        .prop_map(|words| format!("{{{{ {} }}}}", words.join(" ")));
    prop::collection::vec(action, 1..6).prop_map(|all| all.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_bytes_are_rendered_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        target::render(&bytes);
    }

    #[test]
    fn any_template_is_rendered_or_refused(text in template(), one in "\\PC{0,40}", other in "[\\[\\]{}:,a1\"*& \n-]{0,40}") {
        target::render(format!("{text}\0{one}\0{other}").as_bytes());
    }

    #[test]
    fn any_action_is_rendered_or_refused(text in action(), one in "\\PC{0,40}") {
        target::render(format!("{text}\0{one}").as_bytes());
    }
}

/// A variable of half a megabyte.
const LONG: &str = "{{ $x := printf \"%500000d\" 1 | replace \" \" \"1\" }}";

/// Texts that grow or go on: each is an error, soon.
#[test]
fn what_grows_is_an_error() {
    let double = "{{ $x := .a }}";
    for (text, is_error) in [
        ("{{ range 99999999999 }}{{ end }}".to_owned(), true),
        ("{{ range 100000 }}{{ range 100000 }}x{{ end }}{{ end }}".to_owned(), true),
        (format!("{double}{}{{{{ $x }}}}", "{{ $x = printf \"%s%s\" $x $x }}".repeat(40)), true),
        (format!("{double}{}{{{{ $x }}}}", "{{ $x = list $x $x }}".repeat(60)), true),
        (format!("{double}{}{{{{ toJson $x }}}}", "{{ $x = list $x $x }}".repeat(60)), true),
        (format!("{double}{}{{{{ toYaml $x }}}}", "{{ $x = dict \"a\" $x \"b\" $x }}".repeat(60)), true),
        (format!("{double}{}{{{{ eq $x 1 }}}}", "{{ $x = list $x $x }}".repeat(90)), true),
        (format!("{double}{}{{{{ len $x }}}}", "{{ $x = list $x $x }}".repeat(90)), false),
        ("{{ define \"t\" }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}".to_owned(), true),
        (format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000)), true),
        ("{{ if .a }}".repeat(5_000), true),
        ("{{ printf \"%999999d\" 1 | replace \" \" (printf \"%999999d\" 1) }}".to_owned(), true),
        ("{{ indent 1000000 \"\\n\\n\" }}".to_owned(), true),
        ("{{ range 100000 }}{{ regexMatch \"((a{1,50}){1,50}){1,50}\" $.a }}{{ end }}".to_owned(), false),
        ("{{ range $i := 100000 }}{{ regexMatch (printf \"((a{1,50}){1,50}){1,%d}\" $i) $.a }}{{ end }}".to_owned(), true),
        ("{{ printf \"%.65536d\" 1 | len }}".to_owned(), false),
        (format!("{LONG}{{{{ range 100000 }}}}{{{{ $y := int $x }}}}{{{{ end }}}}"), true),
        (format!("{LONG}{{{{ range 100000 }}}}{{{{ $y := atoi $x }}}}{{{{ end }}}}"), true),
        (format!("{LONG}{{{{ range 100000 }}}}{{{{ $y := replace \"z\" \"\" $x }}}}{{{{ end }}}}"), true),
        (format!("{LONG}{{{{ range 100000 }}}}{{{{ $y := eq $x (printf \"%s\" $x) }}}}{{{{ end }}}}"), true),
        (format!("{LONG}{{{{ range 100000 }}}}{{{{ $y := eq $x $x }}}}{{{{ end }}}}"), true),
        (format!("{{{{ dateInZone {:?} 0 \"UTC\" }}}}", "2006".repeat(2_000)), true),
        ("{{ regexReplaceAll \"(a*)*(a*)*(a*)*b\" (printf \"%500000d\" 1 | replace \" \" \"a\") \"x\" | len }}".to_owned(), false),
        (format!("{{{{ fromYaml {:?} }}}}", "a: &a [x]\nb: &b [*a, *a]\n".repeat(9)), false),
        (format!("{{{{ {} }}}}", vec!["add 1"; 20_000].join(" | ")), false),
    ] {
        let template = rolecall_engine::template::Template::parse(&text, rolecall_engine::template::Origin::Public);
        let shown: String = text.chars().take(60).collect();
        let rendered = template.and_then(|template| {
            let mut run = rolecall_engine::template::Run::new();
            template.render([("a", b"aaaa".as_slice())], jiff::Timestamp::UNIX_EPOCH, &mut run)
        });
        assert_eq!(rendered.is_err(), is_error, "{shown}: {:?}", rendered.map(|text| text.len()));
    }
}

/// Found by the fuzzer: go-yaml's own order of keys is none, and a sort may not rely on it.
#[test]
fn keys_of_any_shape_have_an_order() {
    let keys =
        "a12 a1b a3 a 0 00 01 1 10 9 a-1 a_1 a01 a001 Z é ٣ 99999999999999999999999 1b 1- b1";
    let mut words: Vec<&str> = keys.split(' ').collect();
    for turn in 0..words.len() {
        words.rotate_left(turn % 7 + 1);
        let pairs: Vec<String> = words.iter().map(|word| format!("{word:?} 1")).collect();
        let text = format!("{{{{ toYaml (dict {}) }}}}", pairs.join(" "));
        target::render(text.as_bytes());
    }
}
