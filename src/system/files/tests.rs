//! Tests of the bounded reader of files, with real files, pipes, sockets and links.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn pipe(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

fn once(path: &Path) -> Result<Contents, ReadError> {
    read_blocking(path, 100, Deadline::default())
}

/// Whether the error says nothing about the file, because the machine could not read it.
fn is_machine_trouble(error: &ReadError) -> bool {
    matches!(error, ReadError::Machine(_))
}

#[test]
fn only_a_regular_file_is_read_and_no_other_holds_it_up() {
    let folder = folder();
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let zero = folder.path().join("zero");
    symlink("/dev/zero", &zero).unwrap();
    let cases = [
        (pipe(&folder), "a pipe"),
        (socket, "a socket"),
        (zero, "a device"),
        (PathBuf::from("/dev/null"), "a device"),
        (folder.path().to_owned(), "a folder"),
    ];
    for (path, kind) in cases {
        assert_eq!(once(&path), Err(ReadError::NotRegular(kind)), "{}", path.display());
    }
    let file = folder.path().join("file");
    fs::write(&file, "text").unwrap();
    let link = folder.path().join("link");
    symlink(&file, &link).unwrap();
    assert_eq!(once(&link).unwrap().as_slice(), b"text", "a link to a regular file is one");
}

#[test]
fn a_file_is_read_up_to_its_limit_and_not_beyond() {
    let folder = folder();
    let path = folder.path().join("file");
    for length in [0, 1, 99, 100, 101, 5000] {
        fs::write(&path, vec![b'a'; length]).unwrap();
        let expected = if length > 100 { Err(ReadError::TooLong(100)) } else { Ok(length) };
        assert_eq!(once(&path).map(|read| read.len()), expected, "{length}");
    }
    let start = read_start(&path, 7, Deadline::default()).unwrap();
    assert_eq!(start.as_slice(), b"aaaaaaa");
    // It says that it has no length, and has some.
    assert!(read_blocking(Path::new("/proc/self/status"), 64 * 1024, Deadline::default()).unwrap().len() > 100);
    assert_eq!(once(Path::new("/proc/self/status")), Err(ReadError::TooLong(100)));
}

#[test]
fn trouble_of_the_machine_is_distinguished_from_faults_of_the_file() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    symlink(path("b"), path("a")).unwrap();
    symlink(path("a"), path("b")).unwrap();
    fs::write(path("file"), "").unwrap();
    let of_the_file = [path("nowhere"), path("file/below"), path("a"), path(&"x".repeat(300)), PathBuf::from("a\0b")];
    for path in of_the_file {
        assert!(!is_machine_trouble(&once(&path).unwrap_err()), "{}", path.display());
    }
    let machine = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOMEM,
        libc::EIO,
        libc::ESTALE,
        libc::EAGAIN,
        libc::ENOTCONN,
        libc::ETIMEDOUT,
        libc::EHOSTDOWN,
        libc::EUCLEAN,
        libc::EINTR,
    ];
    for number in machine {
        assert!(is_machine_trouble(&ReadError::from_system(&io::Error::from_raw_os_error(number))), "{number}");
    }
    for number in [libc::ENOENT, libc::EACCES, libc::EPERM, libc::ELOOP, libc::EISDIR, libc::ENXIO] {
        assert!(!is_machine_trouble(&ReadError::from_system(&io::Error::from_raw_os_error(number))), "{number}");
    }
    let late = Deadline::within(Duration::ZERO);
    assert_eq!(
        run_blocking(&path("late"), late.left(), || Ok(())),
        Err(ReadError::Machine(MachineTrouble::Deadline)),
        "nothing is read after the deadline"
    );
}

#[test]
fn a_value_may_come_from_a_pipe_in_pieces() {
    let folder = folder();
    let path = pipe(&folder);
    let writer = path.clone();
    let writer = thread::spawn(move || {
        let mut pipe = File::create(writer).unwrap();
        for piece in ["SEC", "RET", "\n"] {
            pipe.write_all(piece.as_bytes()).unwrap();
            thread::yield_now();
        }
    });
    assert_eq!(read_once(&path, 100).unwrap().as_slice(), b"SECRET\n");
    writer.join().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "text").unwrap();
    assert_eq!(read_once(&file, 100).unwrap().as_slice(), b"text");
    assert_eq!(read_once(Path::new("/dev/zero"), 100), Err(ReadError::NotRegular("a device")));
}

#[test]
fn a_pipe_that_nobody_writes_into_does_not_answer() {
    let folder = folder();
    assert_eq!(read_once(&pipe(&folder), 100), Err(ReadError::Machine(MachineTrouble::Deadline)));
}

#[test]
fn a_pipe_without_end_is_cut_off() {
    let folder = folder();
    let path = pipe(&folder);
    let writer = path.clone();
    thread::spawn(move || {
        let mut pipe = File::create(writer).unwrap();
        // Ends when the reader has gone.
        while pipe.write_all(&[b'a'; 64]).is_ok() {}
    });
    assert_eq!(read_once(&path, 100), Err(ReadError::TooLong(100)));
}

#[test]
fn what_is_below_a_folder_is_not_read_out_of_it() {
    let folder = folder();
    let zones = folder.path().join("zones");
    fs::create_dir(&zones).unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    fs::write(zones.join("own"), "own").unwrap();
    symlink("own", zones.join("alias")).unwrap();
    symlink("../secret", zones.join("out")).unwrap();
    let read = |name: &str| read_below(&zones, name, 100, Deadline::default()).map(|read| read.to_vec());
    assert_eq!(read("own").unwrap(), b"own");
    assert_eq!(read("alias").unwrap(), b"own");
    for name in ["../secret", "out", "/etc/hostname"] {
        assert!(matches!(read(name), Err(ReadError::BadPath(_))), "{name}");
    }
    assert!(matches!(read("nowhere"), Err(ReadError::Missing(_))));
}

#[test]
fn a_folder_is_listed_in_order_and_to_its_end() {
    let folder = folder();
    let list = |path: &Path, most| list_blocking(path, most, Deadline::default());
    assert_eq!(list(&folder.path().join("none"), 9), Ok(None));
    for name in ["b", "a", "c"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let all = ["a", "b", "c"].map(|name| folder.path().join(name)).to_vec();
    assert_eq!(list(folder.path(), 3), Ok(Some(all)));
    assert!(matches!(list(folder.path(), 2), Err(ReadError::BadPath(_))), "a part of it is not taken for all");
    symlink("nowhere", folder.path().join("link")).unwrap();
    assert!(matches!(list(&folder.path().join("link"), 9), Err(ReadError::BadPath(_))));
    assert_eq!(exists_blocking(&folder.path().join("link"), Deadline::default()), Ok(true));
    assert_eq!(exists_blocking(&folder.path().join("none"), Deadline::default()), Ok(false));
}

#[test]
fn permissions_of_many_files_are_learnt_in_their_order() {
    let folder = folder();
    let of = |name: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let paths = [of("b/x", 0o600), of("a/y", 0o644), folder.path().join("nowhere"), of("b/z", 0o640)];
    let modes = modes_blocking(&paths.each_ref().map(PathBuf::as_path), Deadline::default());
    let bits: Vec<_> = modes.iter().map(|mode| mode.map(|mode| mode & 0o777)).collect();
    assert_eq!(bits, [Some(0o600), Some(0o644), None, Some(0o640)]);
}

#[tokio::test]
async fn a_file_that_is_always_being_written_is_not_half_read() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, [b'a'; 50]).unwrap();
    let (writer, stop) = (path.clone(), std::sync::Arc::new(()));
    let is_wanted = std::sync::Arc::downgrade(&stop);
    let writer = thread::spawn(move || {
        while is_wanted.strong_count() > 0 {
            let mut file = File::create(&writer).unwrap();
            file.write_all(&[b'b'; 25]).unwrap();
            file.write_all(&[b'b'; 25]).unwrap();
        }
    });
    for _ in 0..200 {
        match read(&path, 100).await {
            // It may have been emptied just before: then that is its contents.
            Ok(contents) => assert!([0, 25, 50].contains(&contents.len()), "{}", contents.len()),
            Err(error) => assert_eq!(error, ReadError::Machine(MachineTrouble::Changing)),
        }
    }
    drop(stop);
    writer.join().unwrap();
}
