//! An archive of images: is it whole, and which images are in it?
//!
//! As `docker save` and `ctr images export` write it (OCI image layout, and the `manifest.json`
//! of Docker). Only heads, manifests and configurations are read, so that a hundred gigabytes take
//! a moment, and those are compared with their digests. The layers are compared with theirs
//! ([`verify`]) directly before an import: the container runtime keeps images whose layers it then
//! cannot unpack, and says that they are there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use oci_client::Reference;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::config::values::hex;

/// The largest list of contents that is read, in bytes.
const MAX_LIST: u64 = 16 * 1024 * 1024;

/// Two of them end an archive (POSIX.1-1988, pax).
const BLOCK: u64 = 512;

#[derive(Deserialize)]
struct DockerImage {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    tags: Option<Vec<String>>,
    #[serde(rename = "Layers", default)]
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(rename = "mediaType", default)]
    media_type: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// The names of the images in an archive, as the container runtime knows them.
///
/// # Errors
///
/// A sentence: it cannot be read, is no such archive, or was cut off.
pub fn images(path: &Path) -> Result<BTreeSet<String>, String> {
    names(path).map_err(|what| plain(&what))
}

fn names(path: &Path) -> Result<BTreeSet<String>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("is not a regular file".into());
    }
    let places = places(&mut file, metadata.len())?;
    let mut read = |name: &str| -> Result<Vec<u8>, String> {
        let Place { at, size, .. } = places.get(name).copied().ok_or_else(|| format!("does not hold {name}, which it names"))?;
        if size > MAX_LIST {
            return Err(format!("holds {name} of {size} bytes, expected a list"));
        }
        file.seek(SeekFrom::Start(at)).map_err(unreadable)?;
        let mut bytes = Vec::new();
        (&file).take(size).read_to_end(&mut bytes).map_err(unreadable)?;
        if digest_of(name).is_some_and(|digest| digest != hex(&Sha256::digest(&bytes))) {
            return Err(format!("is damaged: {name} is not what its name says"));
        }
        Ok(bytes)
    };
    let there = |name: &str| -> Result<(), String> {
        places.contains_key(name).then_some(()).ok_or_else(|| format!("does not hold {name}, which it names: it is not whole"))
    };
    let parse = |name: &str, error: serde_json::Error| format!("holds a {name} that cannot be read: {error}");
    let mut images = BTreeSet::new();
    if places.contains_key("manifest.json") {
        let list: Vec<DockerImage> =
            serde_json::from_slice(&read("manifest.json")?).map_err(|error| parse("manifest.json", error))?;
        for image in list {
            std::iter::once(&image.config).chain(&image.layers).try_for_each(|name| there(name))?;
            read(&image.config)?;
            images.extend(image.tags.unwrap_or_default().iter().map(|name| whole_name(name)));
        }
    } else if places.contains_key("index.json") {
        let index: Index = serde_json::from_slice(&read("index.json")?).map_err(|error| parse("index.json", error))?;
        let mut open = index.manifests;
        while let Some(descriptor) = open.pop() {
            let names = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
            images.extend(names.iter().find_map(|name| descriptor.annotations.get(*name)).map(|name| whole_name(name)));
            let name = blob(&descriptor.digest)?;
            // Of an index of several platforms only those that were exported are there.
            if !places.contains_key(&name) && descriptor.annotations.is_empty() {
                continue;
            }
            there(&name)?;
            if descriptor.media_type.contains("manifest") || descriptor.media_type.contains("index") {
                let inner: Index = serde_json::from_slice(&read(&name)?).map_err(|error| parse(&name, error))?;
                inner.config.iter().chain(&inner.layers).try_for_each(|part| there(&blob(&part.digest)?))?;
                inner.config.iter().try_for_each(|config| read(&blob(&config.digest)?).map(drop))?;
                open.extend(inner.manifests);
            }
        }
    } else {
        return Err("holds neither manifest.json nor index.json, so it is no archive of images".into());
    }
    Ok(images)
}

/// Compares every layer of an archive with its digest, and everything else that is named after one.
/// Reads all of it. `read`: how many bytes were read so far.
///
/// # Errors
///
/// A sentence: it cannot be read, or is damaged.
pub fn verify(path: &Path, read: &AtomicU64) -> Result<(), String> {
    compare(path, read).map_err(|what| plain(&what))
}

fn compare(path: &Path, read: &AtomicU64) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let places = places(&mut file, length)?;
    let mut wanted: BTreeMap<String, String> =
        places.keys().filter_map(|name| Some((name.clone(), digest_of(name)?.to_owned()))).collect();
    for (layer, digest) in docker_layers(&mut file, &places)? {
        wanted.entry(layer).or_insert(digest);
    }
    let mut buffer = vec![0; 1 << 20];
    for (name, digest) in wanted {
        // A layer that is the same as another one is a link to it (`docker save` until version 24).
        let Some(Place { at, size, is_file: true }) = places.get(&name).copied() else { continue };
        file.seek(SeekFrom::Start(at)).map_err(unreadable)?;
        let (mut hash, mut left) = (Sha256::new(), size);
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = file.read(&mut buffer[..most]).map_err(unreadable)?;
            if count == 0 {
                return Err(format!("is cut off in {name}"));
            }
            hash.update(&buffer[..count]);
            left -= count as u64;
            read.fetch_add(count as u64, Ordering::Relaxed);
        }
        if hex(&hash.finalize()) != digest {
            return Err(format!("is damaged: {name} is not what its digest says"));
        }
    }
    Ok(())
}

/// The layers that `manifest.json` names, each with the digest that the configuration of its image
/// has for it. Of one that is compressed that digest is of something else.
fn docker_layers(file: &mut std::fs::File, places: &BTreeMap<String, Place>) -> Result<Vec<(String, String)>, String> {
    #[derive(Deserialize)]
    struct Config {
        rootfs: RootFs,
    }
    #[derive(Deserialize)]
    struct RootFs {
        #[serde(default)]
        diff_ids: Vec<String>,
    }
    let mut bytes = |name: &str, most: u64| -> Option<Vec<u8>> {
        let Place { at, size, .. } = places.get(name).copied()?;
        file.seek(SeekFrom::Start(at)).ok()?;
        let mut bytes = Vec::new();
        (&*file).take(size.min(most)).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    let Some(list) = bytes("manifest.json", MAX_LIST) else { return Ok(Vec::new()) };
    let list: Vec<DockerImage> =
        serde_json::from_slice(&list).map_err(|error| format!("holds a manifest.json that cannot be read: {error}"))?;
    let mut layers = Vec::new();
    for image in list {
        let config = bytes(&image.config, MAX_LIST).and_then(|config| serde_json::from_slice::<Config>(&config).ok());
        let Some(diff_ids) = config.map(|config| config.rootfs.diff_ids).filter(|ids| ids.len() == image.layers.len()) else {
            continue;
        };
        for (layer, digest) in image.layers.into_iter().zip(diff_ids) {
            let is_plain = bytes(&layer, 4)
                .is_some_and(|head| !head.starts_with(&[0x1f, 0x8b]) && !head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
            if let Some(digest) = digest.strip_prefix("sha256:").filter(|_| is_plain) {
                layers.push((layer, digest.to_owned()));
            }
        }
    }
    Ok(layers)
}

/// Where a file of an archive lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    size: u64,
    /// It is no link.
    is_file: bool,
}

/// Where each file of the archive lies, and how long it is.
fn places(file: &mut std::fs::File, length: u64) -> Result<BTreeMap<String, Place>, String> {
    let mut archive = tar::Archive::new(&*file);
    let mut places = BTreeMap::new();
    let mut end = 0;
    let entries = archive.entries_with_seek().map_err(|error| format!("is not a tar archive: {}", fault(&error)))?;
    for entry in entries {
        let entry = entry.map_err(|error| format!("is not a whole tar archive: {}", fault(&error)))?;
        let name = entry.path().map_err(|error| format!("holds a name that cannot be read: {}", fault(&error)))?;
        let name = name.to_string_lossy().trim_start_matches("./").to_owned();
        let (at, size) = (entry.raw_file_position(), entry.size());
        end = at.saturating_add(size).next_multiple_of(BLOCK);
        if end > length {
            return Err(format!("is cut off in {name}: it has {length} bytes and would need {end} and more"));
        }
        places.insert(name, Place { at, size, is_file: entry.header().entry_type().is_file() });
    }
    if places.is_empty() {
        return Err("is not a tar archive, or an empty one".into());
    }
    if length < end + 2 * BLOCK {
        return Err(format!("is cut off: it has {length} bytes and no end"));
    }
    Ok(places)
}

/// The digest that a file of an archive is named after: `blobs/sha256/HASH` (OCI image layout
/// specification, "Blobs"), or `HASH.json`, the configuration of an image (`docker save`).
fn digest_of(name: &str) -> Option<&str> {
    let hash = name.strip_prefix("blobs/sha256/").or_else(|| name.strip_suffix(".json"))?;
    (hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hash)
}

fn blob(digest: &str) -> Result<String, String> {
    let (algorithm, hash) = digest.split_once(':').ok_or_else(|| format!("names the digest {digest}, which is none"))?;
    Ok(format!("blobs/{algorithm}/{hash}"))
}

/// `docker.io/library/busybox:1` of `busybox:1`.
pub fn whole_name(name: &str) -> String {
    Reference::try_from(name).map_or_else(|_| plain(name), |reference| reference.whole())
}

/// Why an archive cannot be read. The words of the library quote what lies there: of a file that is no
/// archive they would show the beginning to everybody.
pub(super) fn fault(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "it ends in the middle",
        _ => "it is damaged or something else",
    }
}

/// The most of a sentence with words of an archive in it, in characters.
const MOST: usize = 400;

/// What an archive says, as it can be shown on a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn look(bytes: &[u8]) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("images.tar");
        std::fs::write(&path, bytes).unwrap();
        images(&path).map(|images| images.into_iter().collect())
    }

    const DOCKER: &str = r#"[{"Config":"c.json","RepoTags":["r.org:5000/k/a:1","busybox:1"],"Layers":["l.tar"]},{"Config":"c.json","RepoTags":null,"Layers":[]}]"#;

    #[test]
    fn the_images_of_both_layouts_are_told() {
        let docker = archive(&[("manifest.json", DOCKER), ("c.json", "{}"), ("l.tar", &"x".repeat(2000))]);
        assert_eq!(look(&docker).unwrap(), ["docker.io/library/busybox:1", "r.org:5000/k/a:1"]);
        let index = r#"{"manifests":[{"digest":"sha256:a","mediaType":"application/vnd.oci.image.manifest.v1+json","annotations":{"io.containerd.image.name":"r.org/k/b:1","org.opencontainers.image.ref.name":"1"}}]}"#;
        let manifest = r#"{"config":{"digest":"sha256:c"},"layers":[{"digest":"sha256:l"}]}"#;
        let all = [
            ("oci-layout", "{}"),
            ("index.json", index),
            ("blobs/sha256/a", manifest),
            ("blobs/sha256/c", "{}"),
            ("blobs/sha256/l", "x"),
        ];
        assert_eq!(look(&archive(&all)).unwrap(), ["r.org/k/b:1"]);
        assert!(look(&archive(&all[..4])).unwrap_err().contains("does not hold blobs/sha256/l"), "a layer is missing");
    }

    #[test]
    fn what_was_cut_off_or_is_something_else_is_refused() {
        let whole = archive(&[("manifest.json", DOCKER), ("c.json", "{}"), ("l.tar", &"x".repeat(9000))]);
        // Wherever it is cut, but within the two blocks that end it.
        for length in (0..whole.len() - 1024).step_by(97) {
            assert!(look(&whole[..length]).is_err(), "cut at {length} of {}", whole.len());
        }
        assert!(look(&whole[..whole.len() - 1024]).unwrap_err().contains("is cut off"));
        assert!(look(b"no archive at all").is_err());
        assert!(look(&archive(&[("x/Chart.yaml", "name: x")])).unwrap_err().contains("no archive of images"));
        assert!(images(Path::new("/nonexistent.tar")).unwrap_err().contains("No such file"));
    }

    #[test]
    fn what_is_not_what_its_digest_says_is_damaged() {
        let hash = |text: &str| hex(&Sha256::digest(text));
        let (config, other) = (r#"{"os":"linux"}"#, r#"{"os":"linuX"}"#);
        let docker = format!(r#"[{{"Config":"{}.json","RepoTags":["r.org/k/a:1"],"Layers":[]}}]"#, hash(config));
        let name = format!("{}.json", hash(config));
        let of = |config| look(&archive(&[("manifest.json", &docker), (&name, config)]));
        assert_eq!(of(config).unwrap(), ["r.org/k/a:1"]);
        assert_eq!(of(other).unwrap_err(), format!("is damaged: {name} is not what its name says"));

        let manifest = format!(r#"{{"config":{{"digest":"sha256:{}"}}}}"#, hash(config));
        let index = format!(
            r#"{{"manifests":[{{"digest":"sha256:{}","mediaType":"manifest","annotations":{{"io.containerd.image.name":"r.org/k/b:1"}}}}]}}"#,
            hash(&manifest)
        );
        let [at, below] = [&manifest[..], config].map(|text| format!("blobs/sha256/{}", hash(text)));
        let of = |manifest: &str, config| look(&archive(&[("index.json", &index), (&at, manifest), (&below, config)]));
        assert_eq!(of(&manifest, config).unwrap(), ["r.org/k/b:1"]);
        assert!(of(&manifest, other).unwrap_err().contains(&below));
        assert!(of(&manifest.replace("config", "Config"), config).unwrap_err().contains(&at));
    }

    /// `docker save` with one image of these layers; each with the digest of `said`.
    fn docker(layers: &[(&str, &str, &str)]) -> Vec<u8> {
        let hash = |text: &str| hex(&Sha256::digest(text));
        let ids: Vec<String> = layers.iter().map(|(_, _, said)| format!("sha256:{}", hash(said))).collect();
        let config = serde_json::json!({"rootfs": {"type": "layers", "diff_ids": ids}}).to_string();
        let names: Vec<&str> = layers.iter().map(|(name, ..)| *name).collect();
        let name = format!("{}.json", hash(&config));
        let manifest = serde_json::json!([{"Config": name, "RepoTags": ["r.org/k/a:1"], "Layers": names}]).to_string();
        let mut files = vec![("manifest.json", manifest.as_str()), (&name, &config)];
        files.extend(layers.iter().map(|(name, text, _)| (*name, *text)));
        archive(&files)
    }

    fn verified(bytes: &[u8]) -> (Result<(), String>, u64) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("images.tar");
        std::fs::write(&path, bytes).unwrap();
        let read = AtomicU64::new(0);
        (verify(&path, &read), read.into_inner())
    }

    #[test]
    fn layers_are_compared_with_their_digests() {
        let good = docker(&[("l1/layer.tar", "one", "one"), ("l2/layer.tar", "two", "two")]);
        let (end, read) = verified(&good);
        assert!(end.is_ok() && read > 6, "{end:?}, {read}");
        let bad = docker(&[("l1/layer.tar", "one", "one"), ("l2/layer.tar", "twO", "two")]);
        assert_eq!(look(&bad).unwrap(), ["r.org/k/a:1"], "its head is whole");
        assert_eq!(verified(&bad).0.unwrap_err(), "is damaged: l2/layer.tar is not what its digest says");
        let blob = |text: &str, of: &str| (format!("blobs/sha256/{}", hex(&Sha256::digest(of))), text.to_owned());
        for (text, whole) in [("layer", true), ("Layer", false)] {
            let (name, text) = blob(text, "layer");
            assert_eq!(verified(&archive(&[("index.json", "{}"), (&name, &text)])).0.is_ok(), whole);
        }
    }

    #[test]
    fn a_layer_that_is_a_link_is_no_damage() {
        let hash = hex(&Sha256::digest("one"));
        let config = format!(r#"{{"rootfs":{{"diff_ids":["sha256:{hash}","sha256:{hash}"]}}}}"#);
        let manifest = r#"[{"Config":"c.json","RepoTags":["r.org/k/a:1"],"Layers":["l1/layer.tar","l2/layer.tar"]}]"#;
        let mut tar = tar::Builder::new(Vec::new());
        for (name, text) in [("manifest.json", manifest), ("c.json", &config), ("l1/layer.tar", "one")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "l2/layer.tar", "../l1/layer.tar").unwrap();
        assert!(verified(&tar.into_inner().unwrap()).0.is_ok());
    }

    #[test]
    fn nothing_of_a_file_that_is_no_archive_is_shown() {
        let secret = format!("root:$6$planted$hash:19000:0\u{1b}[2J\n{}", "x".repeat(3000));
        for end in [look(secret.as_bytes()).map(drop), verified(secret.as_bytes()).0] {
            assert_eq!(end.unwrap_err(), "is not a whole tar archive: it is damaged or something else");
        }
        let named = look(&archive(&[("manifest.json", r#"[{"Config":"a\u001b[2J"}]"#)])).unwrap_err();
        assert!(named.contains("does not hold a[2J") && !named.contains('\u{1b}'), "{named:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000)) {
            drop((look(&bytes), verified(&bytes)));
        }

        #[test]
        fn any_name_of_an_image_is_taken(name in "\\PC{0,200}", path in "[a-z0-9./:@_-]{0,80}") {
            for name in [name, path] {
                let whole = whole_name(&name);
                proptest::prop_assert_eq!(whole_name(&whole), whole.clone(), "a whole name stays as it is");
            }
        }
    }
}
