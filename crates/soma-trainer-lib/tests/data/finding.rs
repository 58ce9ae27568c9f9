//! Which files are taken, in which order, and under which names.

use soma_trainer::data::{DataConfig, Documents, OnUnreadable};

use crate::support::*;

/// The texts of all documents, sorted; each is shorter than a window.
fn texts(config: DataConfig) -> Vec<String> {
    let documents = open(config);
    let text = |sequence: soma_model::tokenizer::Sequence| {
        let bytes = &sequence.tokens[..sequence.bytes];
        bytes.iter().map(|byte| char::from(*byte as u8)).collect()
    };
    let mut texts: Vec<String> = one_pass(&documents).into_iter().map(text).collect();
    texts.sort_unstable();
    texts
}

#[test]
fn folders_are_searched_without_hidden_ones_and_builds() {
    let folder = folder();
    for name in ["b", "a/c", "a/d/e", ".git/x", "a/.y", "target/z", "f.git"] {
        put(&folder, name, name);
    }
    assert_eq!(texts(all(&folder)), ["a/c", "a/d/e", "b", "f.git"]);
    let named = DataConfig {
        paths: vec![folder.path().join("target"), folder.path().join("a/.y")],
        ..all(&folder)
    };
    assert_eq!(texts(named), ["a/.y", "target/z"]);
}

#[test]
fn filters_choose_among_the_files_of_folders() {
    let folder = folder();
    for name in ["a.rs", "b/c.RS", "b/d.md", "old/e.rs", "f"] {
        put(&folder, name, name);
    }
    let rust = DataConfig {
        extensions: vec!["rs".to_owned()],
        exclude: vec!["old".to_owned()],
        ..all(&folder)
    };
    assert_eq!(texts(rust), ["a.rs", "b/c.RS"]);
    let inside = DataConfig {
        include: vec!["b/*".to_owned()],
        ..all(&folder)
    };
    assert_eq!(texts(inside), ["b/c.RS", "b/d.md"]);
}

#[test]
fn a_file_that_is_named_twice_is_one_document() {
    let folder = folder();
    put(&folder, "a/b", "b");
    put(&folder, "a/c", "c");
    let config = DataConfig {
        paths: ["a", "a/b", ".", "a/../a"]
            .map(|path| folder.path().join(path))
            .to_vec(),
        ..all(&folder)
    };
    assert_eq!(texts(config), ["b", "c"]);
}

#[test]
fn files_of_the_same_name_in_two_places_are_two_documents() {
    let folder = folder();
    put(&folder, "a/x.jsonl", line("1"));
    put(&folder, "b/x.jsonl", line("2"));
    let paths = ["a", "b"].map(|path| folder.path().join(path));
    let documents = open(DataConfig::new(paths));
    let (training, held) = (one_pass(&documents), held_out(&documents));
    assert_eq!((training.len(), held.len()), (1, 1));
    let both = training.into_iter().chain(held);
    assert_eq!(sorted(both.collect()), expected(["1", "2"]));
}

#[test]
fn an_empty_folder_has_no_documents() {
    let folder = folder();
    let error = Documents::open(all(&folder)).expect_err("empty");
    assert_eq!(error.name(), "NoDocuments");
    assert!(error.to_string().contains("0 files"), "{error}");
    put(&folder, "empty", "");
    let error = Documents::open(all(&folder)).expect_err("empty");
    assert!(
        error.to_string().contains("1 files, 1 empty documents"),
        "{error}"
    );
}

#[test]
fn a_path_that_is_not_there_is_named_even_when_unreadable_files_are_skipped() {
    let folder = folder();
    put(&folder, "a", "a");
    let config = DataConfig {
        paths: vec![folder.path().to_owned(), folder.path().join("gone")],
        on_unreadable: OnUnreadable::Skip,
        ..all(&folder)
    };
    let error = Documents::open(config).expect_err("gone");
    assert_eq!(error.name(), "File");
    assert!(error.to_string().contains("gone"), "{error}");
}

#[test]
fn documents_above_the_limit_of_size_are_left_out_and_counted() {
    let folder = folder();
    put(&folder, "a", "12345");
    put(&folder, "b", "123456");
    put(
        &folder,
        "c.jsonl",
        line("67890") + &line("678901") + &line(""),
    );
    let config = DataConfig {
        max_document_bytes: Some(5),
        ..all(&folder)
    };
    let documents = open(config);
    let summary = documents.summary();
    assert_eq!((summary.documents(), summary.bytes()), (2, 10));
    assert_eq!((summary.left_out.too_long, summary.left_out.empty), (2, 1));
    assert_eq!(sorted(one_pass(&documents)), expected(["12345", "67890"]));
}

#[cfg(unix)]
mod links {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn loops_of_links_end_and_each_file_is_taken_once() {
        let folder = folder();
        put(&folder, "a/b/text", "text");
        symlink(folder.path(), folder.path().join("a/b/up")).expect("link");
        symlink("..", folder.path().join("a/back")).expect("link");
        symlink("self", folder.path().join("self")).expect("link");
        symlink("b/text", folder.path().join("a/again")).expect("link");
        symlink("nowhere", folder.path().join("broken")).expect("link");
        assert_eq!(texts(all(&folder)), ["text"]);
    }

    #[test]
    fn a_link_outside_the_folder_is_followed_under_its_own_name() {
        let (folder, store) = (folder(), super::folder());
        put(&store, "0123abcd", line("from the store"));
        let link = folder.path().join("data.jsonl");
        symlink(store.path().join("0123abcd"), link).expect("link");
        assert_eq!(texts(all(&folder)), ["from the store"]);
    }

    #[test]
    fn a_socket_is_passed_over_in_a_folder_and_an_error_when_named() {
        let folder = folder();
        put(&folder, "text", "text");
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).expect("socket");
        assert_eq!(texts(all(&folder)), ["text"]);
        let error = Documents::open(DataConfig::new([socket])).expect_err("socket");
        assert_eq!(error.name(), "NotAFile");
    }

    #[test]
    fn names_that_are_no_utf8_are_read_and_stay_apart() {
        let folder = folder();
        for name in [b"a\xff".as_slice(), b"a\xfe"] {
            let path = folder.path().join(OsStr::from_bytes(name));
            std::fs::write(path, name).expect("file");
        }
        let documents = open(DataConfig::new([folder.path()]));
        assert_eq!(documents.summary().held_out.documents, 1);
        let both = one_pass(&documents).into_iter().chain(held_out(&documents));
        assert_eq!(sorted(both.collect()), expected([b"a\xff", b"a\xfe"]));
        let target = super::folder();
        let written = documents
            .write_held_out(target.path(), 10)
            .expect("written");
        assert!(written[0].ends_with("000000-a_"), "{written:?}");
    }
}
