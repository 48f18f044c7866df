//! A chart's archive: is it the one that is meant?

use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Deserialize;

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
    let entries = tar.entries().map_err(|error| format!("is not a gzipped tar archive: {error}"))?;
    // Looked through to its end, so that an archive that was cut off is noticed.
    for entry in entries {
        let mut entry = entry.map_err(|error| format!("is not a whole gzipped tar archive: {error}"))?;
        let path = entry.path().map_err(|error| format!("holds a name that cannot be read: {error}"))?.into_owned();
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
    found.ok_or_else(|| "holds no Chart.yaml, so it is not a Helm chart".into())
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
        std::fs::write(&path, "no archive").unwrap();
        assert!(metadata(&path).is_err());
        std::fs::write(&path, archive(&[("c/values.yaml", "")])).unwrap();
        assert_eq!(metadata(&path).unwrap_err(), "holds no Chart.yaml, so it is not a Helm chart");
    }
}
