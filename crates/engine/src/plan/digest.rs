//! One plan told from another, also by a process that was started later.

use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};

use super::Plan;

impl Plan {
    /// 16 hexadecimal digits of a digest over everything in the plan.
    ///
    /// A plan holds names and no secret, so what it hashes to may be shown. Another version of
    /// rolecall may give another digest for the same plan: it is then taken for a change.
    pub fn digest(&self) -> String {
        let mut hasher = Feed(Sha256::new());
        self.hash(&mut hasher);
        let bytes = hasher.0.finalize();
        bytes.iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }
}

/// What the derived hashes feed, which is the same on each machine of one word size.
struct Feed(Sha256);

impl Hasher for Feed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Nobody asks for it: the digest is taken from the whole.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use crate::arn::{Dialect, RoleArn};
    use crate::plan::{Plan, SourceSpec};
    use crate::region::Region;
    use crate::request::{RoleRequest, SessionName};

    fn plan(role: &str, region: &str) -> Plan {
        let role = RoleArn::parse(role, Dialect::Aws).unwrap();
        let request = RoleRequest::new(role, SessionName::made_from("team-a.reader"));
        let region = Region::parse(region).unwrap();
        Plan::assume_role(region, SourceSpec::Environment, Vec::new(), request)
    }

    #[test]
    fn a_digest_is_the_plans_own() {
        let role = "arn:aws:iam::111122223333:role/reader";
        let one = plan(role, "eu-west-1").digest();
        // Pinned: another digest for the same plan would be a change of every object at once.
        assert_eq!(one, plan(role, "eu-west-1").digest());
        assert_eq!(one.len(), 16);
        assert_ne!(one, plan(role, "eu-west-2").digest());
        assert_ne!(one, plan("arn:aws:iam::111122223333:role/writer", "eu-west-1").digest());
    }
}
