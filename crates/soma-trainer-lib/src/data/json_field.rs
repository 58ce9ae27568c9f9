//! One field of a JSON object, without building the rest of the object.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// What a line holds in the field.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Field {
    Text(String),
    Null,
    /// There is no such field; the fields there are, in order of names.
    Missing(Vec<String>),
}

/// The field `name` of the object `line`; the reason when the line is no object with text there.
pub(super) fn field(line: &[u8], name: &str) -> Result<Field, String> {
    let mut input = serde_json::Deserializer::from_slice(line);
    let found = Object(name).deserialize(&mut input).map_err(reason)?;
    input.end().map_err(reason)?;
    match found {
        Some(Some(text)) => Ok(Field::Text(text)),
        Some(None) => Ok(Field::Null),
        None => {
            let all: BTreeMap<String, IgnoredAny> = serde_json::from_slice(line).map_err(reason)?;
            Ok(Field::Missing(all.into_keys().collect()))
        }
    }
}

/// The parser's words; it counts lines of what it was given, which is one line.
fn reason(error: serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("{what} at column {}", error.column())
}

/// Gives the value of the field of this name: `None` when it is absent, `Some(None)` when null.
struct Object<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Option<Option<String>>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Option<Option<String>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(ours) = map.next_key_seed(Key(self.0))? {
            if ours {
                found = Some(map.next_value::<Option<String>>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a key is this one, without keeping it.
struct Key<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_found_among_other_fields() {
        let line = br#"{"id": 7, "meta": {"text": 1}, "text": "a\nb\u00e9", "tags": []}"#;
        assert_eq!(field(line, "text"), Ok(Field::Text("a\nbé".to_owned())));
        assert_eq!(field(br#"{"text": null}"#, "text"), Ok(Field::Null));
    }

    #[test]
    fn without_the_field_the_others_are_named() {
        let names = vec!["body".to_owned(), "id".to_owned()];
        let found = field(br#"{"id": 1, "body": "x"}"#, "text");
        assert_eq!(found, Ok(Field::Missing(names)));
    }

    #[test]
    fn what_is_no_object_with_text_has_a_reason_with_its_column() {
        let cases: [(&[u8], &str); 5] = [
            (b"[1]", "expected an object"),
            (b"{\"text\": 5}", "expected a string"),
            (
                b"{\"text\": \"a\"",
                "EOF while parsing an object at column 12",
            ),
            (b"{\"text\": \"a\"} x", "trailing characters at column 15"),
            (b"{\"text\": \"\xff\"}", "invalid unicode"),
        ];
        for (line, part) in cases {
            let reason = field(line, "text").expect_err("bad line");
            assert!(
                reason.contains(part) && !reason.contains("line"),
                "{reason}"
            );
        }
    }
}
