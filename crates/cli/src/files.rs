//! Reads whole files, up to a bound, into memory that is zeroed when dropped.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

/// Reads a file of text, or standard input for `-`.
///
/// # Errors
///
/// Why it cannot be read, as the rest of a sentence that begins with the file's name.
pub(crate) fn read_text(file: &Path, most_bytes: u64) -> Result<Zeroizing<String>, String> {
    // As large as the file, so that no secret is left behind by a growing buffer.
    let length = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let room = usize::try_from(length.min(most_bytes)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room.max(64 * 1024) + 64));
    let read = if is_input(file) {
        std::io::stdin().take(most_bytes + 1).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(most_bytes + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most_bytes {
        return Err(format!("is larger than {most_bytes} bytes"));
    }
    String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        "is not UTF-8 text".to_owned()
    })
}

/// Whether standard input is meant.
pub(crate) fn is_input(file: &Path) -> bool {
    file == Path::new("-")
}

/// A file's name in a message.
pub(crate) fn shown_file(file: &Path) -> String {
    if is_input(file) { "standard input".to_owned() } else { file.display().to_string() }
}

/// What nothing that rolecall reads beside manifests comes near to.
pub(crate) const MOST_BYTES: u64 = 1024 * 1024;
