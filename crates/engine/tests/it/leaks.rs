//! Templates that try to print a secret where it is not asked for.
//!
//! The canary is any twelve characters in a row of a value that went in. It is looked for in every
//! text that a person or a cluster could see of a failure: messages, hints, debug forms.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rolecall_engine::grant::ExternalSecret;
use rolecall_engine::render::{Data, Existing, Objects, Renderer, Text, rewrite};
use rolecall_engine::template::{Origin, Run, Template};
use serde_json::{Value, json};

const SECRET: &str = "kX9vQ2mZ7pL4wT8rB3nY6cJ1";
/// Written in a Secret that a template reads its text from.
const OTHER: &str = "Hf5gD0sA2uE8iO4tR7yW1qV3";

/// Every twelve characters in a row.
fn canaries() -> Vec<String> {
    let mut found = Vec::new();
    for secret in [SECRET, OTHER] {
        let forms = [
            secret.to_owned(),
            secret.to_uppercase(),
            secret.to_lowercase(),
            secret.chars().rev().collect(),
        ];
        for form in forms {
            found.extend((0..=form.len() - 12).map(|start| form[start..start + 12].to_owned()));
        }
    }
    found
}

fn search(text: &str, place: &str) {
    for canary in canaries() {
        assert!(!text.contains(&canary), "{place} tells {canary}: {text}");
    }
}

fn entry() -> Value {
    json!({"sourceRef": {"generatorRef": {"kind": "STSAssumeRoleToken", "name": "g"}}})
}

fn document(spec: &Value) -> Value {
    json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "a", "namespace": "n"}, "spec": spec})
}

fn objects() -> Objects {
    let mut objects = Objects::default();
    let texts = [
        ("plain", OTHER.to_owned()),
        ("unclosed", format!("{{{{ {OTHER}")),
        ("function", format!("{{{{ {OTHER} }}}}")),
        ("field", format!("{{{{ .{OTHER} }}}}")),
        ("variable", format!("{{{{ ${OTHER} }}}}")),
        ("template", format!("{{{{ template \"{OTHER}\" . }}}}")),
        ("number", format!("{{{{ 1{OTHER} }}}}")),
        ("list", format!("- {OTHER}")),
        ("nested", format!("a: {{b: {OTHER}}}")),
        ("invalid", format!("{OTHER}: [")),
        ("key", format!("'{OTHER} {OTHER}': x")),
    ];
    let keys = texts.map(|(key, text)| (key.to_owned(), Data::new(text.into_bytes())));
    objects.add_secret("s", keys.into());
    objects
}

fn keys() -> Vec<(String, Text)> {
    let pairs = [
        ("access_key_id", SECRET),
        ("secret_access_key", SECRET),
        ("session_token", SECRET),
        ("expiration", "1767229200"),
    ];
    pairs.map(|(key, value)| (key.to_owned(), Text::new(value.to_owned()))).into()
}

/// Renders, and searches whatever is told; the failure is what each case is about.
#[track_caller]
fn check(name: &str, spec: &Value) {
    let now = Timestamp::UNIX_EPOCH;
    let asked = match ExternalSecret::read(&document(spec)) {
        Ok(asked) => asked,
        Err(violations) => {
            search(&format!("{violations} {violations:?}"), name);
            return;
        }
    };
    search(&format!("{asked:?}"), name);
    let renderer = match Renderer::new(asked.clone(), &objects()) {
        Ok(renderer) => renderer,
        Err(errors) => {
            let hints: Vec<String> = errors.iter().map(|located| located.error.hint()).collect();
            search(&format!("{errors} {errors:?} {hints:?}"), name);
            return;
        }
    };
    search(&format!("{renderer:?} {:?}", objects()), name);
    let mut parts = Vec::new();
    for entry in &asked.entries {
        match rewrite(keys(), &entry.rewrites, now) {
            Ok(rewritten) => {
                search(&format!("{rewritten:?}"), name);
                parts.push(rewritten.keys);
            }
            Err(error) => {
                search(&format!("{error} {error:?} {}", error.hint()), name);
                return;
            }
        }
    }
    let rendered = renderer.render(parts, None, now);
    assert!(rendered.is_err(), "{name} is rendered");
    let errors = rendered.unwrap_err();
    let hints: Vec<String> = errors.iter().map(|located| located.error.hint()).collect();
    search(&format!("{errors} {errors:?} {hints:?}"), name);
}

/// The template is the value of one key.
fn in_data(name: &str, template: &str) {
    check(name, &json!({"dataFrom": [entry()], "target": {"template": {"data": {"k": template}}}}));
}

fn with_template(name: &str, template: &Value) {
    check(name, &json!({"dataFrom": [entry()], "target": {"template": template}}));
}

#[test]
fn no_text_of_a_failed_function_tells_a_value() {
    for (name, template) in [
        ("fail", "{{ .session_token | fail }}"),
        ("fail with a format", "{{ fail (printf \"no %s\" .session_token) }}"),
        ("a field of a value", "{{ .session_token.x }}"),
        ("a missing key of a map of values", "{{ (dict .session_token 1).x }}"),
        ("index of a list", "{{ index (list .session_token) 5 }}"),
        ("index by a value", "{{ index (list 1) .session_token }}"),
        ("index of a string", "{{ index .session_token 99 }}"),
        ("a comparison of types", "{{ eq .session_token 1 }}"),
        ("an order of lists", "{{ lt (list .session_token) (list 1) }}"),
        ("a range over a value", "{{ range .session_token }}{{ end }}"),
        ("a number that is none", "{{ div 1 (int .session_token) }}"),
        (
            "a regular expression",
            "{{ regexReplaceAll (printf \"(%s\" .session_token) \"a\" \"b\" }}",
        ),
        ("a format", "{{ printf (printf \"%%*d %s\" .session_token) 1 }}"),
        ("a slice", "{{ substr 99 3 .session_token }}"),
        ("spaces", "{{ indent -1 .session_token }}"),
        ("an argument of a wrong type", "{{ trunc .session_token \"x\" }}"),
        ("a map of strings", "{{ get . .session_token }}"),
        ("the first of a string", "{{ first .session_token }}"),
        ("the length of a number", "{{ len (int .session_token) }}"),
        ("too much", "{{ range 100000 }}{{ $.session_token }}{{ end }}"),
        (
            "too deep",
            "{{ define \"t\" }}{{ template \"t\" . }}{{ end }}{{ template \"t\" .session_token }}",
        ),
        ("not a function", "{{ .session_token | .access_key_id }}"),
        ("YAML as a map", "{{ (fromYaml .session_token).x }}"),
        (
            "a deep list",
            "{{ $x := .session_token }}{{ range 200 }}{{ $x = list $x }}{{ end }}{{ $x }}",
        ),
    ] {
        in_data(name, template);
    }
}

#[test]
fn no_text_of_a_failed_map_tells_a_value() {
    for (name, literal) in [
        ("a list", "- {{ .session_token }}"),
        ("a map in a map", "a: {b: {{ .session_token }}}"),
        ("no YAML", "{{ .session_token }}: ["),
        ("a key", "'{{ .session_token }} x': y"),
        ("an alias", "a: *{{ .session_token }}"),
        ("a tag", "a: !!int {{ .session_token }}"),
    ] {
        let from = json!({"templateFrom": [{"literal": literal}]});
        with_template(name, &from);
    }
    for target in ["Labels", "Annotations"] {
        for (name, literal) in [
            ("a reserved name", "reconcile.external-secrets.io/{{ .session_token }}: x"),
            ("a name", "'{{ .session_token }}!': x"),
        ] {
            with_template(name, &json!({"templateFrom": [{"literal": literal, "target": target}]}));
        }
    }
    let base64 = json!({"templateFrom": [
        {"literal": "a: '{{ .session_token }}!'", "valuesDecodingStrategy": "Base64"}]});
    with_template("base64", &base64);
}

#[test]
fn no_text_of_a_failed_label_or_key_tells_a_value() {
    for (name, template) in [
        ("a label", json!({"metadata": {"labels": {"k": "{{ .session_token }}!"}}})),
        (
            "a long label",
            json!({"metadata": {"labels": {"k": "{{ .session_token }}{{ .session_token }}{{ .session_token }}"}}}),
        ),
        (
            "a label that is no text",
            json!({"metadata": {"labels": {"k": "{{ .session_token }}{{ b64dec \"/w==\" }}"}}}),
        ),
        (
            "an annotation that is no text",
            json!({"metadata": {"annotations": {"k": "{{ .session_token }}{{ b64dec \"/w==\" }}"}}}),
        ),
        (
            "too large",
            json!({"data": {"a": "{{ range 40000 }}{{ $.session_token }}{{ end }}",
            "b": "{{ range 40000 }}{{ $.session_token }}{{ end }}"}}),
        ),
    ] {
        with_template(name, &template);
    }
}

/// What is kept for the next template is as secret as the values that it was made of.
#[test]
fn a_kept_regular_expression_is_not_told() {
    let mut run = Run::new();
    let template = Template::parse("{{ regexMatch .key \"a\" }}", Origin::Public).unwrap();
    template.render([("key", SECRET.as_bytes())], Timestamp::UNIX_EPOCH, &mut run).unwrap();
    search(&format!("{run:?}"), "a run");
}

/// The text of a template that stands in a Secret is a secret itself.
#[test]
fn no_word_of_a_secret_template_is_told() {
    for key in [
        "unclosed", "function", "field", "variable", "template", "number", "list", "nested",
        "invalid", "key", "missing",
    ] {
        let item = json!({"key": key, "templateAs": "KeysAndValues"});
        with_template(key, &json!({"templateFrom": [{"secret": {"name": "s", "items": [item]}}]}));
    }
    // A label that such a text becomes.
    let item = json!({"key": "plain"});
    let from = json!({"templateFrom": [
        {"secret": {"name": "s", "items": [item]}, "target": "Labels"},
        {"literal": "{{ fail \"x\" }}"},
    ]});
    with_template("plain", &from);
}

/// What is there already is as secret as what comes.
#[test]
fn an_existing_secret_is_not_told() {
    let secret = json!({"kind": "Secret", "type": 1, "data": {"a": SECRET, "b": 1},
        "stringData": {"c": [SECRET]}, "metadata": {"labels": {"l": [SECRET]}}});
    let told = Existing::read(&secret).unwrap_err();
    search(&format!("{told} {told:?}"), "violations");
    let data: BTreeMap<&str, &str> = BTreeMap::from([("a", "aGk=")]);
    let read = Existing::read(&json!({"kind": "Secret", "data": data})).unwrap();
    assert!(!format!("{read:?}").contains("hi"));
}
