//! Which registry an ECR token opens.

/// The registries of Amazon ECR.
///
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html> and
/// <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_GetAuthorizationToken.html>.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Registry {
    /// The account's own registry in the region of the call.
    Private,
    /// `public.ecr.aws`, which answers in us-east-1 only.
    Public,
}
