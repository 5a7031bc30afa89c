//! MFA devices of the world's users.

use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;

use crate::arn::{Arn, is_account};
use crate::totp;

use super::reader::Node;
use super::{User, World};

/// The least length of a seed, in bytes: RFC 4226 demands 128 bits.
const LEAST_SEED_BYTES: usize = 16;

/// A virtual MFA device. No `Debug`: its seed makes every code.
#[derive(Clone)]
pub(crate) struct MfaDevice {
    /// The device's ARN.
    pub(crate) serial: Arn,
    pub(crate) seed: Vec<u8>,
}

impl MfaDevice {
    /// Reads one entry of `mfaDevices`, in the words of `CreateVirtualMFADevice`.
    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        let fields = node.map(&["serialNumber", "base32StringSeed"])?;
        let serial = fields.required("serialNumber").and_then(|node| {
            let serial = Arn::parse(node.text()?)
                .filter(|arn| is_account(arn.account()) && arn.iam_path("mfa").is_some());
            if serial.is_none() {
                node.note("must be like arn:aws:iam::111122223333:mfa/name");
            }
            serial
        });
        let seed = fields.required("base32StringSeed").and_then(|node| {
            let text = node.text()?.trim_end_matches('=').to_ascii_uppercase();
            let seed = BASE32_NOPAD.decode(text.as_bytes()).ok();
            let seed = seed.filter(|seed| seed.len() >= LEAST_SEED_BYTES);
            if seed.is_none() {
                node.note(format!("must be base32 of at least {LEAST_SEED_BYTES} bytes"));
            }
            seed
        });
        Some(Self { serial: serial?, seed: seed? })
    }
}

impl World {
    /// The serial numbers of all MFA devices.
    pub fn mfa_serials(&self) -> Vec<&str> {
        self.mfa_devices().map(|(_, device)| device.serial.as_str()).collect()
    }

    /// The code that a device shows at `now`, six digits; nothing when there is no such device.
    ///
    /// Knows nothing of a running emulator, which takes each code once: see
    /// [`Emulator::mfa_code`](crate::Emulator::mfa_code).
    ///
    /// # Examples
    ///
    /// ```
    /// let world = rolecall_emulator::World::builtin()?;
    /// let now = "2026-01-01T00:00:00Z".parse()?;
    /// let code = world.mfa_code("arn:aws:iam::111122223333:mfa/alice", now);
    /// assert_eq!(code.map(|code| code.len()), Some(6));
    /// assert_eq!(world.mfa_code("unknown", now), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mfa_code(&self, serial: &str, now: Timestamp) -> Option<String> {
        let (_, device) = self.mfa_device(serial)?;
        Some(totp::code(&device.seed, totp::step_at(now)))
    }

    /// A device and the user whom it belongs to.
    pub(crate) fn mfa_device(&self, serial: &str) -> Option<(&User, &MfaDevice)> {
        self.mfa_devices().find(|(_, device)| device.serial.as_str() == serial)
    }

    fn mfa_devices(&self) -> impl Iterator<Item = (&User, &MfaDevice)> {
        self.users.iter().flat_map(|user| user.mfa_devices.iter().map(move |device| (user, device)))
    }
}
