//! Base64 as Go's `encoding/base64` decodes it: line breaks and bits behind the end do not count.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// The standard alphabet.
pub(crate) const GO_STANDARD: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);
/// The alphabet for URLs and file names.
pub(crate) const GO_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);

/// The bytes; nothing where the text is no base64.
pub(crate) fn decode(engine: &GeneralPurpose, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let compact: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.iter().copied().filter(|byte| !is_break(*byte)).collect());
    engine.decode(&*compact).ok().map(Zeroizing::new)
}

pub(super) fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}
