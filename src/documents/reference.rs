//! `docs/reference.md`: all keys, by table.

use super::told;
use crate::config::keys::Key;
use crate::config::notes::{self, Group};

/// The page.
#[must_use]
pub fn text() -> String {
    let releases = told::known_releases();
    let mut page = format!(
        "<!-- Made from the program by `make documents`; do not edit. -->\n\
         \n\
         # All keys\n\
         \n\
         [configure.md](configure.md) tells how the files are read, what an edit does and which combinations are\n\
         refused. The manual page `kaapana-config(5)` says the same as this page.\n\
         \n\
         \"–\" in a table means: none. The last column is explained in [What an edit does](configure.md#what-an-edit-does).\n\
         The Helm values of the releases {releases} of Kaapana are known; where a release is named, the key exists only\n\
         there.\n\
         \n\
         ## Types\n\
         \n\
         | type | is |\n\
         |---|---|\n"
    );
    for (name, meaning) in told::types() {
        page += &format!("| {name} | {} |\n", told::markdown(meaning));
    }
    for group in notes::GROUPS {
        page += &section(group);
    }
    page += &format!("\n## [values]\n\n{}\n", told::markdown(notes::VALUES));
    page += "\n```toml\n[values]\n\"global.site_banner\" = \"Radiology test system\"\n```\n";
    page
}

fn section(group: &Group) -> String {
    let tables: Vec<String> = group.tables.iter().map(|table| format!("[{table}]")).collect();
    let mut section = format!(
        "\n## {}\n\n{}\n\n\
         | key | type | default | variable of the script | meaning | a change does |\n\
         |---|---|---|---|---|---|\n",
        tables.join(", "),
        told::markdown(group.intro)
    );
    for key in group.tables.iter().flat_map(|table| told::keys_of(table)) {
        section += &row(key);
    }
    section
}

fn row(key: &Key) -> String {
    let code = |text: Option<String>| text.map_or_else(|| "–".to_owned(), |text| format!("`{text}`"));
    let see = notes::find(key.path).and_then(|note| note.see);
    let see = see.map(|(heading, address)| format!(" See [{heading}]({address})."));
    format!(
        "| `{}` | {} | {} | {} | {}{} | {} |\n",
        key.path,
        told::type_of(key),
        code(told::default_of(key)),
        code(key.variable.map(str::to_owned)),
        told::markdown(&told::meaning_of(key)),
        see.unwrap_or_default(),
        told::effect_of(key)
    )
}
