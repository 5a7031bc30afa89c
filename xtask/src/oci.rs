//! Images of containers as OCI archives, written as the specification says
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>): no daemon, no root, and
//! the same bytes each time.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use data_encoding::HEXLOWER;
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Archive, Builder, EntryType, Header};

/// A file of an image.
pub(crate) struct Content {
    /// Without the first slash.
    pub(crate) path: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
}

/// An image of one layer.
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) entrypoint: Vec<&'static str>,
    pub(crate) files: Vec<Content>,
}

impl Image {
    /// Writes the archive.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let layer = self.layer()?;
        let packed = packed(&layer)?;
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "created": EPOCH,
            "config": {
                "User": USER,
                "Entrypoint": self.entrypoint,
                "Labels": {
                    "org.opencontainers.image.title": self.name,
                    "org.opencontainers.image.version": self.version,
                    "org.opencontainers.image.licenses": "Apache-2.0",
                },
            },
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
            "history": [{"created": EPOCH, "created_by": "cargo xtask dist"}],
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described("application/vnd.oci.image.config.v1+json", &config),
            "layers": [described("application/vnd.oci.image.layer.v1.tar+gzip", &packed)],
        });
        let manifest = manifest.to_string().into_bytes();
        let mut entry = described(MANIFEST, &manifest);
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": self.version});
        entry["platform"] = json!({"architecture": "amd64", "os": "linux"});
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry],
        });
        let out = std::fs::File::create(file)
            .with_context(|| format!("cannot write {}", file.display()))?;
        let mut archive = Builder::new(out);
        put(
            &mut archive,
            "oci-layout",
            json!({"imageLayoutVersion": "1.0.0"}).to_string().as_bytes(),
            0o644,
        )?;
        put(&mut archive, "index.json", index.to_string().as_bytes(), 0o644)?;
        for folder in ["blobs/", "blobs/sha256/"] {
            put_folder(&mut archive, folder)?;
        }
        for blob in [&config, &manifest, &packed] {
            put(&mut archive, &blob_path(&digest(blob)), blob, 0o644)?;
        }
        archive.into_inner()?.sync_all().context("cannot write the archive")
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut layer = Builder::new(Vec::new());
        let mut folders: Vec<String> = Vec::new();
        for file in &self.files {
            for (end, _) in file.path.match_indices('/') {
                let folder = format!("{}/", file.path.get(..end).unwrap_or_default());
                if !folders.contains(&folder) {
                    put_folder(&mut layer, &folder)?;
                    folders.push(folder);
                }
            }
            put(&mut layer, file.path, &file.bytes, file.mode)?;
        }
        layer.into_inner().context("cannot write the layer")
    }
}

/// Unpacks the one layer of an archive into a folder, as a container's root; what its configuration
/// says.
pub(crate) fn unpack(archive: &Path, root: &Path) -> Result<Value> {
    let index: Value = serde_json::from_slice(&member(archive, "index.json")?)?;
    let blob = |description: &Value| -> Result<Vec<u8>> {
        let digest = description["digest"].as_str().context("a description has no digest")?;
        let bytes = member(archive, &blob_path(digest))?;
        anyhow::ensure!(
            self::digest(&bytes) == digest,
            "a blob of the archive is not what it is called"
        );
        Ok(bytes)
    };
    let manifest: Value = serde_json::from_slice(&blob(&index["manifests"][0])?)?;
    let config = serde_json::from_slice(&blob(&manifest["config"])?)?;
    let layer = blob(&manifest["layers"][0])?;
    let mut layer = Archive::new(GzDecoder::new(layer.as_slice()));
    layer.set_preserve_permissions(true);
    layer.unpack(root).context("cannot unpack the layer")?;
    Ok(config)
}

fn member(archive: &Path, name: &str) -> Result<Vec<u8>> {
    let mut archive = Archive::new(std::fs::File::open(archive)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_os_str() == name {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
    }
    anyhow::bail!("the archive has no {name}")
}

fn put<W: Write>(archive: &mut Builder<W>, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let mut header = header(EntryType::Regular, mode);
    header.set_size(bytes.len().try_into()?);
    archive.append_data(&mut header, path, bytes).with_context(|| format!("cannot pack {path}"))
}

fn put_folder<W: Write>(archive: &mut Builder<W>, path: &str) -> Result<()> {
    let mut header = header(EntryType::Directory, 0o755);
    header.set_size(0);
    archive
        .append_data(&mut header, path, std::io::empty())
        .with_context(|| format!("cannot pack {path}"))
}

/// Root's, and of no time.
fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn packed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut packer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    packer.write_all(bytes)?;
    packer.finish().context("cannot pack the layer")
}

fn described(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

/// `sha256:` and the hash.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(bytes)))
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const EPOCH: &str = "1970-01-01T00:00:00Z";
/// Nobody's; any but 0 does.
const USER: &str = "65532:65532";
