//! Validation rules in CEL: ESO's webhook in its own words, and what could never work.
//!
//! A rule that an object broke when it was stored does not refuse an update that leaves the field as
//! it is (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-ratcheting>).

use serde_json::{Value, json};

fn rule(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}

pub(super) fn external_secret() -> Value {
    json!([
        rule(
            "has(self.data) && size(self.data) > 0 || has(self.dataFrom) && size(self.dataFrom) > 0",
            "either data or dataFrom should be specified",
        ),
        rule(
            "!has(self.target) || !has(self.target.deletionPolicy) || !has(self.target.creationPolicy) \
             || self.target.deletionPolicy != 'Delete' \
             || !(self.target.creationPolicy in ['Merge', 'None', 'CreateOrMerge'])",
            "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner",
        ),
        rule(
            "!has(self.target) || !has(self.target.deletionPolicy) || !has(self.target.creationPolicy) \
             || self.target.deletionPolicy != 'Merge' || self.target.creationPolicy != 'None'",
            "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with",
        ),
    ])
}

pub(super) fn data_from() -> Value {
    json!([
        rule(
            "(has(self.extract) ? 1 : 0) + (has(self.find) ? 1 : 0) \
             + (has(self.sourceRef) && has(self.sourceRef.generatorRef) ? 1 : 0) <= 1",
            "extract, find, or generatorRef cannot be set at the same time",
        ),
        rule(
            "has(self.extract) || has(self.find) || has(self.sourceRef)",
            "either extract, find, or sourceRef must be set to dataFrom",
        ),
    ])
}

pub(super) fn source_ref() -> Value {
    json!([rule(
        "has(self.generatorRef) || has(self.storeRef)",
        "generatorRef or storeRef must be set when using sourceRef in dataFrom",
    )])
}

pub(super) fn template() -> Value {
    const TOKEN: &str = "kubernetes.io/service-account-token";
    json!([
        rule(
            "!has(self.type) || self.type != 'bootstrap.kubernetes.io/token'",
            "template.type=\"bootstrap.kubernetes.io/token\" is not allowed",
        ),
        rule(
            &format!(
                "!has(self.type) || self.type != '{TOKEN}' || !has(self.metadata) \
                 || !has(self.metadata.annotations) \
                 || !('kubernetes.io/service-account.name' in self.metadata.annotations)"
            ),
            &format!(
                "template.type=\"{TOKEN}\" with annotation \"kubernetes.io/service-account.name\" is not allowed"
            ),
        ),
        rule(
            &format!(
                "!has(self.type) || self.type != '{TOKEN}' || !has(self.templateFrom) \
                 || !self.templateFrom.exists(f, has(f.target) && f.target.lowerAscii() == 'annotations')"
            ),
            &format!(
                "template.type=\"{TOKEN}\" with templateFrom target=\"Annotations\" is not allowed"
            ),
        ),
    ])
}

pub(super) fn template_from() -> Value {
    json!([{
        "rule": "!has(self.target) || self.target == '' \
                 || self.target.lowerAscii() in ['data', 'annotations', 'labels']",
        "message": "templateFrom target is not allowed when targeting a Secret, must be one of \"Data\", \"Annotations\" or \"Labels\"",
        "messageExpression": "'templateFrom target=\"' + self.target + '\" is not allowed when targeting a Secret, must be one of \"Data\", \"Annotations\" or \"Labels\"'",
    }])
}

pub(super) fn auth() -> Value {
    json!([rule(
        "has(self.secretRef) || has(self.jwt)",
        "auth must have secretRef or jwt; leave auth out to use the controller's own identity",
    )])
}

pub(super) fn jwt() -> Value {
    json!([rule("has(self.serviceAccountRef)", "jwt must have serviceAccountRef")])
}

pub(super) fn secret_ref() -> Value {
    json!([rule(
        "has(self.accessKeyIDSecretRef) && has(self.secretAccessKeySecretRef)",
        "secretRef must have accessKeyIDSecretRef and secretAccessKeySecretRef",
    )])
}

pub(super) fn assume_role() -> Value {
    json!([
        rule(
            "!has(self.requestParameters) || !has(self.roleAssumptionParameters)",
            "requestParameters and roleAssumptionParameters are two names of one thing: use requestParameters",
        ),
        rule(
            "!has(self.via) || size(self.via) == 0 || \
             ((!has(self.requestParameters) || !has(self.requestParameters.sessionDuration) \
             || self.requestParameters.sessionDuration <= 3600) \
             && (!has(self.roleAssumptionParameters) || !has(self.roleAssumptionParameters.sessionDuration) \
             || self.roleAssumptionParameters.sessionDuration <= 3600))",
            "with via the session is one of role chaining, which AWS ends after 3600 seconds",
        ),
    ])
}

pub(super) fn session_token() -> Value {
    json!([
        rule(
            "!has(self.auth) || !has(self.auth.jwt) || has(self.auth.secretRef)",
            "jwt auth cannot be used for STS Session Token generation: AWS gives no session of a session; use STSAssumeRoleToken",
        ),
        rule(
            "!has(self.role) || self.role == ''",
            "role cannot work here: AWS gives no session of a session; use STSAssumeRoleToken. A literal tokenCode works once",
        ),
    ])
}

pub(super) fn cluster_generator() -> Value {
    let fits = |kind: &str, member: &str| {
        rule(
            &format!("self.kind != '{kind}' || has(self.generator.{member})"),
            &format!("when kind is {kind}, {member} must be set"),
        )
    };
    json!([
        fits("STSAssumeRoleToken", "stsAssumeRoleTokenSpec"),
        fits("STSSessionToken", "stsSessionTokenSpec"),
        fits("ECRAuthorizationToken", "ecrAuthorizationTokenSpec"),
    ])
}
