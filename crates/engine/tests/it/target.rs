//! What is fuzzed: any bytes as a template with its data, and what comes out as YAML.
//!
//! `cargo xtask fuzz` runs it with a fuzzer's bytes, the property test beside it with random ones.

use jiff::Timestamp;
use rolecall_engine::template::{Origin, Run, Template, string_map};

/// Renders whatever the bytes say; panics where the engine breaks its word.
pub(crate) fn render(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (one, other) = (parts.next().unwrap_or(b"value"), parts.next().unwrap_or(b"{\"a\": [1]}"));
    let origin = if one.len() % 2 == 0 { Origin::Public } else { Origin::Secret };
    let Ok(template) = Template::parse(&text, origin) else { return };
    let marked = [CANARY.as_bytes(), one].concat();
    let keys = [("a", marked.as_slice()), ("b", other), ("c", b"1767229200".as_slice())];
    let now = Timestamp::UNIX_EPOCH;
    match template.render(keys, now, &mut Run::new()) {
        Ok(rendered) => {
            assert!(rendered.len() <= 1024 * 1024, "a value of {} bytes", rendered.len());
            if let Ok(map) = string_map(&rendered, &mut Run::new()) {
                assert!(map.values().all(|value| value.len() <= 8 * 1024 * 1024));
            }
            // The same again, whatever it is.
            if !text.contains("now") && !text.contains("date") {
                let again = template.render(keys, now, &mut Run::new());
                assert_eq!(again.as_ref().map(|again| &**again), Ok(&*rendered));
            }
        }
        Err(error) => {
            assert!(error.line >= 1);
            // A value is never told, unless the template itself wrote it.
            let told = format!("{error} {error:?}");
            assert!(!told.contains(CANARY) || text.contains(CANARY), "{told}");
        }
    }
}

/// What no template comes upon by itself.
const CANARY: &str = "q7Kx9ZpT2mVb4NcR";
