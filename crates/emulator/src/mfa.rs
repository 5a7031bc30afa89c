//! Which codes of MFA devices have been used: each works once (E53).

use std::collections::HashMap;

use jiff::Timestamp;

use crate::totp;
use crate::world::mfa::MfaDevice;

/// The last step used of each device, by serial number.
#[derive(Debug, Default)]
pub(crate) struct UsedCodes(HashMap<String, i64>);

impl UsedCodes {
    /// Whether `code` is right at `now`. A right one is used up, and all before it.
    pub(crate) fn take(&mut self, device: &MfaDevice, code: &str, now: Timestamp) -> bool {
        let step = totp::accepted_step(&device.seed, code, now, self.last(device));
        if let Some(step) = step {
            self.0.insert(device.serial.to_string(), step);
        }
        step.is_some()
    }

    /// The next code that would be accepted at `now`.
    pub(crate) fn next_code(&self, device: &MfaDevice, now: Timestamp) -> Option<String> {
        totp::next_code(&device.seed, now, self.last(device))
    }

    fn last(&self, device: &MfaDevice) -> Option<i64> {
        self.0.get(device.serial.as_str()).copied()
    }
}
