//! The least that an SDK program needs for one AssumeRole: the peer of `cargo xtask bench cli`.

use aws_config::BehaviorVersion;
use aws_sdk_sts::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let role = std::env::args().nth(1).ok_or("usage: bare ROLE_ARN")?;
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let call = Client::new(&config).assume_role().role_arn(role).role_session_name("bench");
    let output = call.duration_seconds(3_600).send().await?;
    let credentials = output.credentials().ok_or("no credentials")?;
    #[expect(clippy::print_stdout, reason = "a program of its own, with made-up credentials")]
    {
        println!("{}", credentials.access_key_id());
        println!("{}", credentials.secret_access_key());
        println!("{}", credentials.session_token());
    }
    Ok(())
}
