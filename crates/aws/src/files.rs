//! Reads small files whole, up to a bound, into memory that is zeroed when dropped.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// 1 MiB: no config file and no CA bundle comes near to it, and a device such as `/dev/zero` ends.
pub(crate) const MOST_BYTES: u64 = 1024 * 1024;

/// The bytes of a file.
///
/// # Errors
///
/// The system's, and [`io::ErrorKind::FileTooLarge`] for more than [`MOST_BYTES`].
pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    // As large as the file and a little more, so that no secret is left behind by a growing buffer.
    let length = file.metadata().map_or(0, |metadata| metadata.len()).min(MOST_BYTES);
    let room = usize::try_from(length).unwrap_or(0).max(64 * 1024) + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_BYTES {
        let reason = format!("it is larger than {MOST_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read_of(length: u64) -> Result<usize, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(length).unwrap();
        read(file.path()).map(|bytes| bytes.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_has_at_most_a_mebibyte() {
        assert_eq!(read_of(0), Ok(0));
        assert_eq!(read_of(1_048_576), Ok(1_048_576));
        assert_eq!(read_of(1_048_577), Err("it is larger than 1048576 bytes".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_end_is_refused() {
        let error = read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
