//! Fragments: TOML files of three directories, merged, each value with its origin.
//!
//! The files of all directories are sorted by name; a file in a later directory
//! masks the file of the same name in an earlier one (as systemd's drop-ins do,
//! `systemd.unit(5)`); of a key that stands in several files the last one wins.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::credentials::CredentialFolders;
use super::error::{ConfigError, Problem};
use super::keys::{self, Key};

/// The largest fragment that is read, in bytes. A configuration is a page of
/// text; what is larger was put there by mistake.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The most fragments that are read from all directories together.
pub const MAX_FILES: usize = 1000;

/// The directories of the configuration, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// In the order of their weight: vendor's, volatile, administrator's.
    pub paths: Vec<PathBuf>,
    /// Where passwords are looked for that stand in no fragment.
    pub credentials: CredentialFolders,
}

impl Directories {
    /// One directory, and no credentials.
    #[must_use]
    pub fn only(path: &Path) -> Self {
        Self { paths: vec![path.to_path_buf()], credentials: CredentialFolders::default() }
    }

    /// `/usr/lib`, `/run` and `/etc` below `root`, with the files of `/etc/kaapana/credentials`.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self {
            paths: ["usr/lib/kaapana/config", "run/kaapana/config", "etc/kaapana/config"]
                .iter()
                .map(|path| root.join(path))
                .collect(),
            credentials: CredentialFolders { systemd: None, files: Some(root.join("etc/kaapana/credentials")) },
        }
    }
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A scalar or list as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    /// A string.
    String(String),
    /// An integer that fits 64 bits.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A list of strings.
    List(Vec<String>),
    /// Anything else, by the name of its type.
    Other(&'static str),
}

impl Raw {
    /// The name of the type, for messages.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a floating-point number",
            Self::Bool(_) => "true or false",
            Self::List(_) => "a list of strings",
            Self::Other(name) => name,
        }
    }
}

/// One value and its origin.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The value.
    pub raw: Raw,
    /// Where it stands.
    pub origin: Origin,
}

/// All fragments, merged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fragments {
    /// Dotted key → value. Keys below `[values]` are kept whole: `values.global.x`.
    pub entries: BTreeMap<String, Entry>,
    /// Where a key stands, too, without effect: a later file says it again.
    pub overridden: BTreeMap<String, Vec<Origin>>,
    /// Tables that stand in a file, even when they are empty.
    pub tables: BTreeMap<String, Origin>,
    /// The files that were read, in the order of merging.
    pub files: Vec<PathBuf>,
    /// Files readable by users other than their owner's group.
    pub world_readable: Vec<PathBuf>,
    /// Where passwords are looked for that stand in none of them.
    pub credentials: CredentialFolders,
}

/// Is this directory entry a fragment? Editors' dot-files and back-ups are not.
#[must_use]
pub fn is_fragment_name(name: &std::ffi::OsStr) -> bool {
    let bytes = name.as_bytes();
    bytes.ends_with(b".toml") && !bytes.starts_with(b".") && !bytes.starts_with(b"#") && bytes.len() > 5
}

impl Fragments {
    /// Reads and merges all fragments. A directory that does not exist is empty.
    ///
    /// # Errors
    ///
    /// When a directory or file cannot be read, is too large, is no UTF-8 or no
    /// TOML. All files are looked at, so that one error does not hide another.
    pub fn read(directories: &Directories) -> Result<Self, ConfigError> {
        Self::read_with(directories, None)
    }

    /// Reads and merges all fragments as if the last directory held one more, by its
    /// name and text.
    ///
    /// # Errors
    ///
    /// As [`Fragments::read`].
    pub fn read_with(directories: &Directories, more: Option<(&str, &str)>) -> Result<Self, ConfigError> {
        let mut files: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
        for directory in &directories.paths {
            let listing = match std::fs::read_dir(directory) {
                Ok(listing) => listing,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    let advice = match error.kind() {
                        std::io::ErrorKind::PermissionDenied => "only root may read it",
                        _ => "the configuration is a directory of *.toml files",
                    };
                    return Err(ConfigError::file(directory, format!("cannot be listed: {error}"), Some(advice.into())));
                }
            };
            for entry in listing {
                let entry = entry.map_err(|error| ConfigError::file(directory, format!("cannot be listed: {error}"), None))?;
                if is_fragment_name(&entry.file_name()) {
                    files.insert(entry.file_name(), entry.path());
                }
            }
        }
        if files.len() > MAX_FILES {
            let last = directories.paths.last().cloned().unwrap_or_default();
            return Err(ConfigError::file(
                last,
                format!("{} fragments, expected at most {MAX_FILES}", files.len()),
                Some("merge them into a few files".into()),
            ));
        }
        let more = more.map(|(name, text)| (directories.paths.last().cloned().unwrap_or_default().join(name), text));
        if let Some((path, _)) = &more {
            files.insert(path.file_name().unwrap_or_default().to_owned(), path.clone());
        }
        let mut merged = Self { credentials: directories.credentials.clone(), ..Self::default() };
        let mut problems = Vec::new();
        for path in files.into_values() {
            let read = match &more {
                Some((added, text)) if *added == path => merged.merge_text(&path, text),
                _ => merged.merge_file(&path),
            };
            match read {
                Ok(()) => {}
                Err(error) => problems.extend(error.problems),
            }
        }
        if problems.is_empty() { Ok(merged) } else { Err(ConfigError { problems }) }
    }

    /// Reads one file over what is there already. A mask (a link to `/dev/null`)
    /// adds nothing; an empty file is an error, since it was emptied by mistake.
    ///
    /// # Errors
    ///
    /// As [`Fragments::read`].
    pub fn merge_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = read_text(path, &mut self.world_readable)?;
        self.merge_text(path, &text)
    }

    /// Merges `text` as if it stood in `path`.
    ///
    /// # Errors
    ///
    /// When it is no TOML.
    pub fn merge_text(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let lines = LineIndex::new(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let problems = errors.iter().map(|error| syntax_problem(error, path, text, &lines, table.get_ref())).collect();
            return Err(ConfigError { problems });
        }
        self.files.push(path.to_path_buf());
        let mut problems = Vec::new();
        self.merge_table("", table.get_ref(), path, &lines, &mut problems);
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    fn merge_table(
        &mut self,
        prefix: &str,
        table: &DeTable<'_>,
        path: &Path,
        lines: &LineIndex<'_>,
        problems: &mut Vec<Problem>,
    ) {
        for (name, value) in table {
            let key = join(prefix, name.get_ref());
            let (line, column) = lines.position(name.span().start);
            let origin = Origin { file: path.to_path_buf(), line, column };
            if let DeValue::Table(inner) = value.get_ref() {
                // Below [values] a quoted "a.b" and a table a with a key b are the same path.
                self.tables.insert(key.clone(), origin);
                self.merge_table(&key, inner, path, lines, problems);
            } else {
                self.merge_value(key, value.get_ref(), origin, problems);
            }
        }
    }

    fn merge_value(&mut self, key: String, value: &DeValue<'_>, origin: Origin, problems: &mut Vec<Problem>) {
        // A scalar replaces a table of the same name and the other way round.
        let below = format!("{key}.");
        let hidden: Vec<String> = self
            .entries
            .range(below.clone()..)
            .map(|(known, _)| known.clone())
            .take_while(|known| known.starts_with(&below))
            .collect();
        for known in hidden {
            self.entries.remove(&known);
        }
        match self.entries.insert(key.clone(), Entry { raw: raw(value), origin: origin.clone() }) {
            Some(old) if old.origin.file == origin.file => {
                let (first, again) = if old.origin.line < origin.line { (old.origin, origin) } else { (origin, old.origin) };
                problems.push(twice(&again.file, (again.line, again.column), key, Some(first.line)));
            }
            Some(old) => self.overridden.entry(key).or_default().push(old.origin),
            None => {}
        }
    }

    /// Is the key set to something? An empty string means that it is not.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|entry| !matches!(&entry.raw, Raw::String(text) if text.is_empty()))
    }

    /// Is any key of this table, or the table itself, in a file?
    #[must_use]
    pub fn has_table(&self, name: &str) -> bool {
        let below = format!("{name}.");
        self.tables.contains_key(name) || self.entries.keys().any(|key| key.starts_with(&below))
    }
}

fn twice(file: &Path, (line, column): (usize, usize), key: String, first: Option<usize>) -> Problem {
    let first = first.map(|line| format!(", first in line {line}")).unwrap_or_default();
    Problem {
        file: Some(file.to_path_buf()),
        line,
        column,
        key,
        message: format!("stands twice in this file{first}"),
        advice: Some("remove one of the two; a later file may say it again".into()),
    }
}

/// What the parser says, as a problem. Its word for a key that stands twice names neither
/// the key nor the place of the first one.
fn syntax_problem(error: &toml::de::Error, path: &Path, text: &str, lines: &LineIndex<'_>, table: &DeTable<'_>) -> Problem {
    let span = error.span();
    let (line, column) = span.as_ref().map_or((0, 0), |span| lines.position(span.start));
    if error.message() == "duplicate key"
        && let Some(span) = span
    {
        // A line of a text over several lines may look like a header, and be anything.
        if text[..span.start].contains("\"\"\"") || text[..span.start].contains("'''") {
            return twice(path, (line, column), String::new(), None);
        }
        let headers = || text.lines().enumerate().take(line).filter(|(_, text)| text.trim_start().starts_with('['));
        let header = headers().last().map(|(at, text)| (at + 1, text.split('#').next().unwrap_or_default().trim()));
        let name = |header: &str| header.trim_matches(['[', ']', ' ']).to_owned();
        let (key, first) = match header {
            // The table itself.
            Some((at, header)) if at == line => {
                let first = headers().find(|(_, text)| text.trim_start().starts_with(header)).map(|(at, _)| at + 1);
                (name(header), first)
            }
            header => {
                let in_table = header.map(|(_, header)| name(header)).unwrap_or_default();
                // The parts of a dotted key stand before it in its line.
                let begin = lines.starts[line.saturating_sub(1)];
                let dotted = text.get(begin..span.end).filter(|text| !text.contains('=')).or_else(|| text.get(span));
                let dotted = dotted.unwrap_or_default().trim();
                let first = first_place(table, &in_table, dotted).map(|start| lines.position(start).0);
                (join(&in_table, dotted), first)
            }
        };
        return twice(path, (line, column), key.replace(['"', '\''], ""), first.filter(|first| *first < line));
    }
    let message = one_line(error.message());
    let unquoted =
        ["expected nothing", "expected `\"`", "string values must be quoted"].iter().any(|words| message.contains(words));
    Problem {
        file: Some(path.to_path_buf()),
        line,
        column,
        key: String::new(),
        message: format!("not valid TOML: {message}"),
        advice: unquoted.then(|| "a string stands in quotes".to_owned()),
    }
}

/// Where a key of a table stands that is found by its parts.
fn first_place(table: &DeTable<'_>, in_table: &str, key: &str) -> Option<usize> {
    // A quoted name may hold dots.
    let quoted = key.contains(['"', '\'']);
    let (parts, last) = key.rsplit_once('.').filter(|_| !quoted).unwrap_or(("", key.trim_matches(['"', '\''])));
    let mut at = table;
    for part in in_table.split('.').chain(parts.split('.')).map(str::trim).filter(|part| !part.is_empty()) {
        at = at.get(part)?.get_ref().as_table()?;
    }
    at.iter().find(|(key, _)| key.get_ref() == last.trim()).map(|(key, _)| key.span().start)
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::String(text.to_string()),
        DeValue::Boolean(truth) => Raw::Bool(*truth),
        DeValue::Integer(integer) => match i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()) {
            Ok(number) => Raw::Integer(number),
            Err(_) => Raw::Other("an integer beyond 64 bits"),
        },
        DeValue::Float(float) => match float.as_str().replace('_', "").parse() {
            Ok(number) => Raw::Float(number),
            Err(_) => Raw::Other("a number that cannot be read"),
        },
        DeValue::Datetime(_) => Raw::Other("a date or time"),
        DeValue::Table(_) => Raw::Other("a table"),
        DeValue::Array(items) => {
            let strings: Option<Vec<String>> = items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    _ => None,
                })
                .collect();
            strings.map_or(Raw::Other("a list with something else than strings"), Raw::List)
        }
    }
}

fn read_text(path: &Path, world_readable: &mut Vec<PathBuf>) -> Result<String, ConfigError> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let fail = |message: String, advice: Option<&str>| ConfigError::file(path, message, advice.map(str::to_owned));
    // Opening a FIFO would wait for a writer: look before opening.
    let metadata = std::fs::metadata(path).map_err(|error| fail(format!("cannot be read: {error}"), None))?;
    if metadata.file_type().is_char_device() {
        return Ok(String::new());
    }
    if !metadata.is_file() {
        return Err(fail("is not a regular file".into(), Some("fragments are plain files named *.toml")));
    }
    // Emptied by a full disk or an editor that is not done; a mask is a link.
    if metadata.len() == 0 {
        return Err(fail("is empty".into(), Some("write it, remove it, or link it to /dev/null to mask the vendor's")));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(fail(
            format!("is {} bytes, expected at most {MAX_FILE_BYTES}", metadata.len()),
            Some("a fragment holds keys, not data; was it copied here by mistake?"),
        ));
    }
    let file = std::fs::File::open(path).map_err(|error| fail(format!("cannot be read: {error}"), None))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| fail(format!("cannot be read: {error}"), None))?;
    if metadata.permissions().mode() & 0o004 != 0 {
        world_readable.push(path.to_path_buf());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let good = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
        let (line, column) = LineIndex::new(&good).position(good.len());
        ConfigError {
            problems: vec![Problem {
                file: Some(path.to_path_buf()),
                line,
                column,
                key: String::new(),
                message: "is not UTF-8 text".into(),
                advice: Some("save it as UTF-8".into()),
            }],
        }
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// From byte offsets to lines and columns.
struct LineIndex<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> LineIndex<'t> {
    fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let column = self.text.get(start..offset).map_or(0, |head| head.chars().count());
        (line, column + 1)
    }
}

/// The known key nearest to `key` by edit distance, when one is near.
#[must_use]
pub fn nearest_key(key: &str) -> Option<&'static str> {
    nearest_among(key, |_| true)
}

/// As [`nearest_key`], among some of them.
pub(super) fn nearest_among(key: &str, of: impl Fn(&Key) -> bool) -> Option<&'static str> {
    let last = key.rsplit('.').next().unwrap_or(key);
    keys::KEYS
        .iter()
        .filter(|known| of(known))
        .map(|known| {
            let known_last = known.path.rsplit('.').next().unwrap_or(known.path);
            let whole = strsim::damerau_levenshtein(key, known.path);
            // The right name in the wrong table is near, too.
            let name = if known_last == last { 1 } else { usize::MAX };
            (whole.min(name), known.path)
        })
        .min()
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(2))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, text: &str) {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join(name), text).unwrap();
    }

    #[test]
    fn a_file_in_etc_masks_the_same_name_and_later_keys_win() {
        let root = tempfile::tempdir().unwrap();
        let directories = Directories::below(root.path());
        write(&directories.paths[0], "10-base.toml", "[platform]\nversion = \"1\"\ndomain = \"vendor\"\n");
        write(&directories.paths[2], "10-base.toml", "[platform]\nversion = \"2\"\n");
        write(&directories.paths[1], "20-run.toml", "[platform]\nversion = \"3\"\n");
        let merged = Fragments::read(&directories).unwrap();
        assert_eq!(merged.entries["platform.version"].raw, Raw::String("3".into()));
        assert_eq!(merged.entries["platform.version"].origin.line, 2);
        assert!(!merged.entries.contains_key("platform.domain"), "the masked vendor file must not count");
    }

    #[test]
    fn back_ups_and_dot_files_of_editors_are_not_fragments() {
        for name in [".10.toml.swp", "10.toml~", ".#10.toml", "#10.toml#", "10.toml.bak", ".toml", ".x.toml", "10.TOML"] {
            assert!(!is_fragment_name(std::ffi::OsStr::new(name)), "{name}");
        }
        assert!(is_fragment_name(std::ffi::OsStr::new("10.toml")));
    }

    #[test]
    fn a_syntax_error_names_line_and_column() {
        let mut merged = Fragments::default();
        let error = merged.merge_text(Path::new("/etc/a.toml"), "[platform]\nversion = \n").unwrap_err();
        assert_eq!((error.problems[0].line, error.problems[0].column), (2, 11), "{error}");
    }

    #[test]
    fn what_is_not_utf8_or_too_large_or_no_file_is_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        let directories = Directories::below(root.path());
        let etc = &directories.paths[2];
        std::fs::create_dir_all(etc).unwrap();
        std::fs::write(etc.join("1.toml"), b"[platform]\nname = \"\xff\"\n").unwrap();
        std::fs::write(etc.join("2.toml"), vec![b'#'; 10 * 1024 * 1024]).unwrap();
        std::fs::create_dir(etc.join("3.toml")).unwrap();
        std::os::unix::fs::symlink("/dev/null", etc.join("4.toml")).unwrap();
        let error = Fragments::read(&directories).unwrap_err();
        let text: Vec<String> = error.problems.iter().map(|p| p.to_string().replace(root.path().to_str().unwrap(), "")).collect();
        assert_eq!(
            text,
            [
                "/etc/kaapana/config/1.toml:2:9: is not UTF-8 text (save it as UTF-8)",
                "/etc/kaapana/config/2.toml: is 10485760 bytes, expected at most 1048576 (a fragment holds keys, not data; was it copied here by mistake?)",
                "/etc/kaapana/config/3.toml: is not a regular file (fragments are plain files named *.toml)",
            ]
        );
    }

    #[test]
    fn the_nearest_key_is_found_also_in_another_table() {
        assert_eq!(nearest_key("platform.versoin"), Some("platform.version"));
        assert_eq!(nearest_key("platform.fast_dir"), Some("data.fast_dir"));
        assert_eq!(nearest_key("completely.different.thing"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
            let mut merged = Fragments::default();
            drop(merged.merge_text(Path::new("/x.toml"), &text));
        }
    }
}
