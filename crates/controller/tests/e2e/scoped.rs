//! With a Role in each namespace and nothing of the cluster: what is out of reach stops nothing.

use serde_json::json;

use crate::bed::Bed;
use crate::objects::{apply, apply_cluster_wide, eventually, has_roles_only};
use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_reach_stops_nothing_and_is_never_written() {
    if !has_roles_only() {
        return;
    }
    // A namespace that is named, and whose Role went with it.
    let bed = Bed::new().await;
    let closed = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "closed"}});
    apply(&bed.client, &closed).await.unwrap();
    let place = Place::on(bed, "open", &["reader"], 1, &["--namespace=closed,open, open"]).await;
    // A generator of the cluster may be anybody's: what names one is left alone.
    let wrapped = json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "ClusterGenerator",
        "metadata": {"name": "unseen"}, "spec": {"kind": "STSSessionToken", "generator": {
            "stsSessionTokenSpec": {"region": "eu-west-1"}}}});
    apply_cluster_wide(&place.bed.client, &wrapped).await;
    place.external_secret("foreign", "ClusterGenerator", "unseen", json!({})).await;
    let finalizers = json!({"metadata": {"finalizers": ["externalsecrets.external-secrets.io/externalsecret-cleanup"]}});
    place.apply("external-secrets.io/v1", "ExternalSecret", "foreign", finalizers).await;
    let before = place.get("ExternalSecret", "foreign").await.unwrap().metadata.resource_version;
    place.role("reader", json!({})).await;
    place.external_secret("ours", "STSAssumeRoleToken", "reader", json!({})).await;
    place.wait_ready("ours", "True").await;
    let counted = || async {
        place.controller.metrics_text().await.contains("rolecall_externalsecrets_out_of_scope 1")
    };
    assert!(eventually(20.0, counted).await);
    let after = place.get("ExternalSecret", "foreign").await.unwrap().metadata.resource_version;
    assert_eq!(before, after);
    let log = std::fs::read_to_string(&place.controller.log).unwrap();
    assert!(log.contains("\"namespace\":\"closed\""), "{log}");
    place.leaks_nothing().await;
}
