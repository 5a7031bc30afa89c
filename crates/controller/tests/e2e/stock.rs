//! On ESO's own CRDs, and over to ours: in the order of the guide, nothing is lost.

use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::objects::{eventually, is_out_of_reach, kind_of};
use crate::place::{Place, keys};

#[tokio::test(flavor = "multi_thread")]
async fn esos_own_crds_are_served_and_replaced_without_a_loss() {
    if is_out_of_reach("ESO's own CRDs") {
        return;
    }
    let bed = Bed::stock().await;
    let crds: Api<DynamicObject> = Api::all_with(
        bed.client.clone(),
        &kind_of("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    );
    let theirs: Value = serde_json::from_str(include_str!("../data/eso-schema.json")).unwrap();
    for (name, parts) in theirs.as_object().unwrap() {
        let document = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": name, "labels": parts["labels"],
                "annotations": {"helm.sh/resource-policy": "keep"}},
            "spec": parts["spec"]});
        let helm = PatchParams::apply("helm").force();
        crds.patch(name, &helm, &Patch::Apply(&document)).await.unwrap();
    }
    assert!(
        eventually(20.0, || async {
            let crd = crds.get("externalsecrets.external-secrets.io").await.unwrap();
            let conditions =
                crd.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|it| it["type"] == "Established" && it["status"] == "True")
        })
        .await
    );
    let mut place = Place::on(bed, "stock", &[], 1, &[]).await;
    place.generator("STSSessionToken", "g", json!({"region": "eu-west-1", "auth": keys()})).await;
    place.external_secret("s", "STSSessionToken", "g", json!({"refreshInterval": "720h"})).await;
    place.wait_ready("s", "True").await;
    let status = place.status("s").await;
    let mut fields: Vec<&String> = status.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["binding", "conditions", "refreshTime", "syncedResourceVersion"]);
    assert_eq!(status["conditions"].as_array().unwrap().len(), 1);
    // The end stands on the Secret, and a restart calls nobody.
    let secret = place.get("Secret", "s").await.unwrap();
    assert!(secret.metadata.annotations.unwrap().contains_key("rolecall/expiration-time"));
    place.restart().await;
    place.annotate("Secret", "s", "touched", "1").await;
    let metrics = || async { crate::bed::get(place.controller.metrics, "/metrics").await.unwrap() };
    assert!(
        eventually(10.0, || async {
            metrics().await.contains("rolecall_credential_expiration_timestamp_seconds{")
        })
        .await
    );
    assert_eq!(place.calls("GetSessionToken").len(), 1);

    // kubectl apply --server-side --force-conflicts, over what helm owns.
    let uid = place.get("ExternalSecret", "s").await.unwrap().metadata.uid;
    for document in rolecall_controller::schema::crds() {
        let name = document["metadata"]["name"].as_str().unwrap();
        let kubectl = PatchParams::apply("kubectl").force();
        let crd = crds.patch(name, &kubectl, &Patch::Apply(&document)).await.unwrap();
        let annotations = crd.metadata.annotations.unwrap();
        assert_eq!(annotations["helm.sh/resource-policy"], "keep", "{name}");
    }
    assert_eq!(place.get("ExternalSecret", "s").await.unwrap().metadata.uid, uid);
    assert!(eventually(20.0, || async { served_has_ours(&place).await }).await);
    place.restart().await;
    place.annotate("ExternalSecret", "s", "force-sync", "1").await;
    assert!(
        eventually(20.0, || async { place.status("s").await["expirationTime"].is_string() }).await
    );
    assert!(eventually(20.0, || async { place.calls("GetSessionToken").len() == 2 }).await);

    // ESO's chart puts its own CRD back while the controller runs: the status goes on, without our fields.
    let name = "externalsecrets.external-secrets.io";
    let mut crd = crds.get(name).await.unwrap();
    crd.data["spec"] = theirs[name]["spec"].clone();
    crds.replace(name, &PostParams::default(), &crd).await.unwrap();
    assert!(eventually(20.0, || async { !served_has_ours(&place).await }).await);
    place.annotate("ExternalSecret", "s", "force-sync", "2").await;
    let version = || async { place.status("s").await["syncedResourceVersion"].clone() };
    let wanted = || async {
        rolecall_controller::object::facts(&place.get("ExternalSecret", "s").await.unwrap()).version
    };
    assert!(eventually(40.0, || async { version().await == wanted().await }).await);
    assert_eq!(place.calls("GetSessionToken").len(), 3);
    place.leaks_nothing().await;
}

/// Whether the server tells of our fields already.
async fn served_has_ours(place: &Place) -> bool {
    let request = http::Request::get("/openapi/v3/apis/external-secrets.io/v1").body(Vec::new());
    let document: Value = place.bed.client.request(request.unwrap()).await.unwrap();
    document.to_string().contains("expirationTime")
}
