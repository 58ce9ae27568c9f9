//! Which files of a folder are taken.

use std::ffi::OsStr;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{DataConfig, DataError};

/// The folder in which builds put their results.
const BUILD_FOLDER: &str = "target";

/// The rules for names in folders, compiled.
#[derive(Debug)]
pub(super) struct Filter {
    /// `None` takes everything that is not excluded.
    include: Option<GlobSet>,
    exclude: GlobSet,
    /// In lower case, each with its dot.
    extensions: Vec<String>,
}

impl Filter {
    /// Errors: `BadPattern`.
    pub(super) fn new(config: &DataConfig) -> Result<Self, DataError> {
        let extension = |text: &String| format!(".{}", text.trim_start_matches('.').to_lowercase());
        let include = match config.include.is_empty() {
            true => None,
            false => Some(globs(&config.include)?),
        };
        Ok(Self {
            include,
            exclude: globs(&config.exclude)?,
            extensions: config.extensions.iter().map(extension).collect(),
        })
    }

    /// Whether to search the folder at `inside` the named folder.
    pub(super) fn enters(&self, inside: &Path) -> bool {
        let name = inside.file_name().unwrap_or_default();
        !is_hidden(name) && name != BUILD_FOLDER && !matches(&self.exclude, inside)
    }

    /// Whether to take the file at `inside` the named folder.
    pub(super) fn takes(&self, inside: &Path) -> bool {
        let name = inside.file_name().unwrap_or_default();
        let lower = name.to_string_lossy().to_lowercase();
        let ends = |extension: &String| lower.ends_with(extension.as_str());
        !is_hidden(name)
            && !matches(&self.exclude, inside)
            && self.include.as_ref().is_none_or(|set| matches(set, inside))
            && (self.extensions.is_empty() || self.extensions.iter().any(ends))
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet, DataError> {
    let bad = |pattern: &str, error: &globset::Error| DataError::BadPattern {
        pattern: pattern.to_owned(),
        reason: error.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // Patterns mean the same on all systems, also where `\` separates folders.
        let glob = GlobBuilder::new(pattern).backslash_escape(true).build();
        set.add(glob.map_err(|error| bad(pattern, &error))?);
    }
    set.build()
        .map_err(|error| bad(&patterns.join(" "), &error))
}

fn matches(set: &GlobSet, inside: &Path) -> bool {
    set.is_match(inside) || inside.file_name().is_some_and(|name| set.is_match(name))
}

/// `.git` and other folders of tools are hidden.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str], extensions: &[&str]) -> Filter {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let config = DataConfig {
            include: own(include),
            exclude: own(exclude),
            extensions: own(extensions),
            ..DataConfig::new([""])
        };
        Filter::new(&config).expect("globs")
    }

    #[test]
    fn without_rules_only_hidden_names_and_builds_are_left_out() {
        let filter = filter(&[], &[], &[]);
        assert!(filter.takes(Path::new("a/b.txt")) && filter.enters(Path::new("a/b")));
        assert!(filter.takes(Path::new("target")) && !filter.enters(Path::new("a/target")));
        assert!(!filter.takes(Path::new("a/.b")) && !filter.enters(Path::new(".git")));
    }

    #[test]
    fn globs_match_the_path_inside_and_the_last_name() {
        let filter = filter(&["*.rs", "doc/*"], &["old", "a/b/*"], &[]);
        assert!(filter.takes(Path::new("x/y.rs")) && filter.takes(Path::new("doc/y.md")));
        assert!(!filter.takes(Path::new("y.md")) && !filter.takes(Path::new("a/b/c.rs")));
        assert!(!filter.enters(Path::new("x/old")) && filter.enters(Path::new("x/older")));
    }

    #[test]
    fn extensions_ignore_case_and_may_have_two_parts() {
        let filter = filter(&[], &[], &["TXT", ".jsonl.gz"]);
        assert!(filter.takes(Path::new("a.txt")) && filter.takes(Path::new("a.JSONL.GZ")));
        assert!(!filter.takes(Path::new("txt")) && !filter.takes(Path::new("a.gz")));
    }

    #[test]
    fn a_pattern_that_is_no_glob_is_named() {
        let config = DataConfig {
            exclude: vec!["a[".to_owned()],
            ..DataConfig::new([""])
        };
        let error = Filter::new(&config).expect_err("no glob");
        assert_eq!(error.name(), "BadPattern");
        assert!(error.to_string().contains("`a[`"), "{error}");
    }
}
