//! The second factor of AssumeRole and GetSessionToken.

use std::fmt;

use crate::violation::{InvalidText, TextRule, is_name_character};

/// The second factor of one call.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Mfa {
    /// The user's device.
    pub serial: MfaSerial,
    /// Its code, where the request brings one; else it is asked for just before the call.
    pub code: Option<MfaCode>,
}

impl Mfa {
    /// A device whose code is asked for just before the call.
    pub fn asked_of(serial: MfaSerial) -> Self {
        Self { serial, code: None }
    }
}

/// An MFA device: a serial number or the ARN of a virtual device, 9 to 256 characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct MfaSerial(String);

impl MfaSerial {
    /// Reads a serial.
    ///
    /// # Errors
    ///
    /// [`InvalidText`] with every bound that is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        SERIAL.check(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The serial as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MfaSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A code of an MFA device: exactly six digits, good for one call.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct MfaCode(String);

impl MfaCode {
    /// Reads a code.
    ///
    /// # Errors
    ///
    /// [`InvalidText`] when it is not six digits.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        CODE.check(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The code as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MfaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MfaCode(..)")
    }
}

const SERIAL: TextRule = TextRule {
    min: 9,
    max: 256,
    allows: |c| is_name_character(c) || c == ':' || c == '/',
    allowed: "letters A-Z a-z, digits and _+=/:,.@-",
};

const CODE: TextRule =
    TextRule { min: 6, max: 6, allows: |c| c.is_ascii_digit(), allowed: "digits" };
