//! A chart's archive: is it the one that is meant?

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;

use super::archive::fault;

/// The most bytes an archive may unpack to while it is looked through.
const MAX_UNPACKED: u64 = 1024 * 1024 * 1024;

/// What `Chart.yaml` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChartMetadata {
    /// Name of the chart.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Reads `Chart.yaml` of a chart's archive.
///
/// # Errors
///
/// A sentence: it cannot be read, is no archive, is cut off, or is no chart.
pub fn metadata(archive: &Path) -> Result<ChartMetadata, String> {
    let file = std::fs::File::open(archive).map_err(|error| format!("cannot be read: {error}"))?;
    let mut tar = tar::Archive::new(GzDecoder::new(std::io::BufReader::new(file)).take(MAX_UNPACKED));
    let mut found = None;
    let entries = tar.entries().map_err(|error| format!("is not a gzipped tar archive: {}", fault(&error)))?;
    // Looked through to its end, so that an archive that was cut off is noticed.
    for entry in entries {
        let mut entry = entry.map_err(|error| format!("is not a whole gzipped tar archive: {}", fault(&error)))?;
        let path = entry.path().map_err(|error| format!("holds a name that cannot be read: {}", fault(&error)))?.into_owned();
        if found.is_none() && path.components().count() == 2 && path.file_name().is_some_and(|name| name == "Chart.yaml") {
            let mut text = String::new();
            entry
                .by_ref()
                .take(1024 * 1024)
                .read_to_string(&mut text)
                .map_err(|error| format!("Chart.yaml cannot be read: {error}"))?;
            found = Some(serde_saphyr::from_str(&text).map_err(|error| {
                format!("Chart.yaml has no name and version: {}", error.to_string().lines().next().unwrap_or_default())
            })?);
        }
    }
    // Behind the end of the tar archive stands gzip's checksum of all of it.
    std::io::copy(&mut tar.into_inner(), &mut std::io::sink()).map_err(|error| format!("is damaged: {error}"))?;
    found.ok_or_else(|| "holds no Chart.yaml, so it is not a Helm chart".into())
}

/// Takes a chart that lies in another one's `charts` into an archive of its own: `false`
/// when there is none. It lies there as a folder, as Helm unpacks it, or as an archive.
///
/// # Errors
///
/// A sentence: the archive cannot be read, or the new one not be written.
pub fn extract(archive: &Path, name: &str, into: &Path) -> Result<bool, String> {
    let file = std::fs::File::open(archive).map_err(|error| format!("{} cannot be read: {error}", archive.display()))?;
    let broken = |error: std::io::Error| format!("{} cannot be unpacked: {error}", archive.display());
    let unwritten = |error: std::io::Error| format!("{} cannot be written: {error}", into.display());
    let mut source = tar::Archive::new(GzDecoder::new(std::io::BufReader::new(file)).take(MAX_UNPACKED));
    let mut target = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut found = false;
    for entry in source.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_owned()).collect();
        let [_, charts, folder, rest @ ..] = parts.as_slice() else { continue };
        if charts != "charts" || !entry.header().entry_type().is_file() {
            continue;
        }
        if rest.is_empty() && folder.to_str().is_some_and(|file| is_archive_of(file, name)) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(broken)?;
            return write_synced(into, &bytes).map(|()| true).map_err(unwritten);
        }
        if folder.to_str() == Some(name) && !rest.is_empty() {
            let inner: std::path::PathBuf = std::iter::once(folder).chain(rest).collect();
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(entry.size());
            target.append_data(&mut header, inner, &mut entry).map_err(broken)?;
            found = true;
        }
    }
    let bytes = target.into_inner().and_then(flate2::write::GzEncoder::finish).map_err(unwritten)?;
    write_synced(into, &bytes).map(|()| found).map_err(unwritten)
}

/// The values below `global` that the templates of a chart name, and whether each can be left
/// out: it stands behind `if` or before `default` wherever it is named, or the chart has a
/// value for it.
///
/// # Errors
///
/// A sentence: the archive cannot be read.
pub fn globals(archive: &Path) -> Result<BTreeMap<String, bool>, String> {
    let broken = |error: std::io::Error| format!("{} cannot be read: {error}", archive.display());
    let file = std::fs::File::open(archive).map_err(broken)?;
    let mut tar = tar::Archive::new(GzDecoder::new(std::io::BufReader::new(file)).take(MAX_UNPACKED));
    let (mut named, mut own) = (BTreeMap::new(), BTreeSet::new());
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let parts: Vec<_> = path.iter().collect();
        let mut bytes = Vec::new();
        // Those of charts inside it, too.
        match parts.as_slice() {
            [_, .., folder, file] if *file == "values.yaml" && *folder != "templates" => {
                entry.read_to_end(&mut bytes).map_err(broken)?;
                own.extend(defaults(&bytes));
            }
            [_, file] if *file == "values.yaml" => {
                entry.read_to_end(&mut bytes).map_err(broken)?;
                own.extend(defaults(&bytes));
            }
            [_, .., _] if parts.iter().any(|part| *part == "templates") => {
                entry.read_to_end(&mut bytes).map_err(broken)?;
                String::from_utf8_lossy(&bytes).lines().for_each(|line| note_globals(line, &mut named));
            }
            _ => {}
        }
    }
    for (name, optional) in &mut named {
        *optional |= own.contains(name);
    }
    Ok(named)
}

/// The names below `global` for which a chart has a value.
fn defaults(yaml: &[u8]) -> Vec<String> {
    let values: serde_json::Value = serde_saphyr::from_str(&String::from_utf8_lossy(yaml)).unwrap_or_default();
    values.get("global").and_then(serde_json::Value::as_object).into_iter().flat_map(|global| global.keys().cloned()).collect()
}

/// A condition holds for what stands behind it in the line, a default for its own `{{ }}` alone.
fn note_globals(line: &str, named: &mut BTreeMap<String, bool>) {
    for call in line.split("{{") {
        let optional = line.contains("if ") || call.contains("default ");
        for start in [".Values.global.", "$global."] {
            for rest in call.split(start).skip(1) {
                let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if !name.is_empty() {
                    *named.entry(name).or_insert(true) &= optional;
                }
            }
        }
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Is `migration-chart-0.6.0.tgz` an archive of `migration-chart`?
fn is_archive_of(file: &str, name: &str) -> bool {
    let version = file.strip_suffix(".tgz").and_then(|file| file.strip_prefix(name)).and_then(|rest| rest.strip_prefix('-'));
    version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn a_chart_tells_its_name_and_others_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.tgz");
        let whole = archive(&[
            ("c/charts/d/Chart.yaml", "name: d\nversion: 1.0.0\n"),
            ("c/Chart.yaml", "name: c\nversion: 0.6.0\n"),
            ("c/x", &"x".repeat(9999)),
        ]);
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(metadata(&path), Ok(ChartMetadata { name: "c".into(), version: "0.6.0".into() }));
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(metadata(&path).is_err(), "a cut archive");
        for at in [whole.len() - 5, whole.len() - 3, whole.len() / 2] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&path, &damaged).unwrap();
            assert!(metadata(&path).is_err(), "another bit at {at} of {}", whole.len());
        }
        std::fs::write(&path, "no archive").unwrap();
        assert!(metadata(&path).is_err());
        std::fs::write(&path, archive(&[("c/values.yaml", "")])).unwrap();
        assert_eq!(metadata(&path).unwrap_err(), "holds no Chart.yaml, so it is not a Helm chart");
    }

    #[test]
    fn an_inner_chart_is_taken_out_as_folder_or_archive() {
        let dir = tempfile::tempdir().unwrap();
        let (from, into) = (dir.path().join("c.tgz"), dir.path().join("m.tgz"));
        let yaml = "name: m\nversion: 0.6.0\n";
        let files = [
            ("c/Chart.yaml", "name: c\nversion: 1.0.0\n"),
            ("c/charts/m/Chart.yaml", yaml),
            ("c/charts/m/charts/d/Chart.yaml", ""),
        ];
        std::fs::write(&from, archive(&files)).unwrap();
        assert_eq!(extract(&from, "m", &into), Ok(true));
        assert_eq!(metadata(&into).unwrap().name, "m");
        assert_eq!(extract(&from, "other", &into), Ok(false));
        let inner = archive(&[("m/Chart.yaml", yaml)]);
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (name, bytes) in [("c/charts/m-other-1.tgz", &b"x"[..]), ("c/charts/m-0.6.0.tgz", &inner)] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, name, bytes).unwrap();
        }
        std::fs::write(&from, tar.into_inner().unwrap().finish().unwrap()).unwrap();
        assert_eq!(extract(&from, "m", &into), Ok(true));
        assert_eq!(metadata(&into).unwrap().version, "0.6.0");
        let files = [
            ("m/Chart.yaml", yaml),
            ("m/values.yaml", "global:\n  own: x\n"),
            (
                "m/templates/a.yaml",
                "a: {{ .Values.global.a }}{{ $global.own }}\n{{ if .Values.global.b }}{{ .Values.global.c | default 1 }}\n\
                 {{ .Values.global.d }} {{ .Values.global.e | default 1 }}",
            ),
            ("m/charts/inner/templates/deep/b.yaml", "f: {{ $global.f }}"),
        ];
        std::fs::write(&from, archive(&files)).unwrap();
        let named: Vec<(String, bool)> = globals(&from).unwrap().into_iter().collect();
        let expected = [("a", false), ("b", true), ("c", true), ("d", false), ("e", true), ("f", false), ("own", true)]
            .map(|(name, optional)| (name.to_owned(), optional));
        assert_eq!(named, expected);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000), text in "\\PC{0,400}") {
            let dir = tempfile::tempdir().unwrap();
            let (from, into) = (dir.path().join("c.tgz"), dir.path().join("m.tgz"));
            let whole = archive(&[("c/Chart.yaml", &text), ("c/values.yaml", &text), ("c/templates/t", &text), ("c/charts/m/x", &text)]);
            let cut = whole[..whole.len() * 2 / 3].to_vec();
            for content in [bytes, whole, cut] {
                std::fs::write(&from, content).unwrap();
                drop((metadata(&from), globals(&from), extract(&from, "m", &into)));
            }
        }
    }
}
