//! The settings of a node with an explanation of each: `docs/node.toml`. And what a file that names
//! an option that does not exist is told.

use serde_json::Value;
use strsim::normalized_damerau_levenshtein as likeness;

use super::NodeConfig;

/// Every option with its default and what it is for, as a settings file. Options without a default
/// are commented out.
pub const DOCUMENTED: &str = include_str!("../../../../docs/node.toml");

impl NodeConfig {
    /// What differs from the defaults, as a settings file.
    ///
    /// # Errors
    /// A path that is no text.
    pub fn differing_toml(&self) -> Result<String, toml::ser::Error> {
        let own = toml::Table::try_from(self)?;
        let default = toml::Table::try_from(Self::default())?;
        toml::to_string(&differing(own, &default))
    }
}

fn differing(mut own: toml::Table, default: &toml::Table) -> toml::Table {
    own.retain(|name, value| default.get(name) != Some(value));
    for (name, value) in &mut own {
        if let (toml::Value::Table(fields), Some(toml::Value::Table(default))) =
            (value, default.get(name))
        {
            *fields = differing(std::mem::take(fields), default);
        }
    }
    own
}

/// Names this alike are taken for misspellings.
const ALIKE: f64 = 0.6;

/// All options with the names of their sections, such as `consensus.listen`.
fn options() -> Vec<String> {
    fn walk(value: &Value, path: &str, paths: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    walk(value, &format!("{path}{dot}{name}"), paths);
                }
            }
            _ => paths.push(path.to_owned()),
        }
    }
    let mut paths = Vec::new();
    // Unlike TOML, JSON also holds the options that have no default.
    let all = serde_json::to_value(NodeConfig::default());
    walk(&all.unwrap_or_default(), "", &mut paths);
    paths
}

/// What is wrong with the first option of a settings file that does not exist; none when all do, or
/// when the text is no TOML.
pub(super) fn unknown_option(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let options = options();
    let unknown = first_unknown(&table, "", &options)?;
    let hint = match nearest(&unknown, &options) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "print all options with `soma start validator --print-config`".to_owned(),
    };
    Some(format!("unknown option `{unknown}`; {hint}"))
}

fn first_unknown(table: &toml::Table, path: &str, options: &[String]) -> Option<String> {
    table.iter().find_map(|(name, value)| {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{name}");
        let section = format!("{path}.");
        if options.contains(&path) {
            return None;
        }
        match value {
            toml::Value::Table(fields) if options.iter().any(|o| o.starts_with(&section)) => {
                first_unknown(fields, &path, options)
            }
            _ => Some(path),
        }
    })
}

/// The option that was most likely meant: its own name weighs more than its section.
fn nearest<'a>(unknown: &str, options: &'a [String]) -> Option<&'a str> {
    let split = |path: &'a str| path.rsplit_once('.').unwrap_or(("", path));
    let (section, name) = unknown.rsplit_once('.').unwrap_or(("", unknown));
    let score = |option: &'a str| {
        let (other_section, other_name) = split(option);
        likeness(name, other_name) * 0.8 + likeness(section, other_section) * 0.2
    };
    let best = options.iter().map(|option| (score(option), option));
    let best = best.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(score, _)| *score >= ALIKE)
        .map(|(_, option)| option.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_is_the_default() {
        let config: NodeConfig = toml::from_str(DOCUMENTED).unwrap();
        assert_eq!(config, NodeConfig::default());
    }

    #[test]
    fn a_short_file_holds_what_differs_and_nothing_else() {
        assert_eq!(NodeConfig::default().differing_toml().unwrap(), "");
        let mut config = NodeConfig {
            keep_blocks: Some(7),
            ..NodeConfig::default()
        };
        config.rpc.guard.rate.burst = 5;
        let text = config.differing_toml().unwrap();
        assert_eq!(text, "keep_blocks = 7\n\n[rpc.guard.rate]\nburst = 5\n");
        assert_eq!(toml::from_str::<NodeConfig>(&text).unwrap(), config);
    }

    /// With a line such as `#name = value` counted as set.
    fn uncommented() -> String {
        let lines = DOCUMENTED.lines().map(|line| {
            let rest = line.strip_prefix('#').unwrap_or(line);
            match rest.starts_with(|c: char| c.is_ascii_lowercase()) {
                true => rest,
                false => line,
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_option_is_documented_and_every_documented_one_exists() {
        let text = uncommented();
        toml::from_str::<NodeConfig>(&text).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        for option in options() {
            let mut place = Some(toml::Value::Table(table.clone()));
            for name in option.split('.') {
                place = place.and_then(|value| value.get(name).cloned());
            }
            assert!(place.is_some(), "docs/node.toml lacks `{option}`");
        }
    }

    #[test]
    fn every_option_has_words_above_it_or_shares_those_of_its_neighbour() {
        let mut words = false;
        for line in DOCUMENTED.lines() {
            match line {
                "" => words = false,
                line if line.starts_with("# ") => words = true,
                line if line.starts_with('[') => words = true,
                line => assert!(words, "`{line}` of docs/node.toml has no explanation"),
            }
        }
    }

    #[test]
    fn an_option_that_does_not_exist_is_told_with_the_nearest_name() {
        let told = |text| unknown_option(text).unwrap();
        assert_eq!(
            told("[consensus]\npersistant_peers = []"),
            "unknown option `consensus.persistant_peers`; did you mean \
             `consensus.persistent_peers`?"
        );
        assert_eq!(
            told("persistent_peers = []"),
            "unknown option `persistent_peers`; did you mean `consensus.persistent_peers`?"
        );
        assert_eq!(
            told("[rpc.guard]\nper_minute = 1"),
            "unknown option `rpc.guard.per_minute`; did you mean `rpc.guard.rate.per_minute`?"
        );
        assert!(told("zzz = 1").contains("--print-config"));
        for fine in ["", "[log]\nfilter = 'warn'", "keep_blocks = 5", "not TOML"] {
            assert_eq!(unknown_option(fine), None, "{fine}");
        }
    }
}
