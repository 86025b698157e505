//! Which files are to be searched: pictures, folders, a list on standard input; and what a file is by
//! its content. Walked twice, to count and to search, and never held as a whole.

use std::ffi::OsString;
use std::fs::{self, File, ReadDir};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::super::super::error::{CliError, Exit};
use crate::picture::{DecodeError, Format, PictureBytes, apart, readable, shrink};

/// Largest file Didit takes.
pub const MOST: u64 = 5 << 20;
/// Largest file that is read at all, to be made smaller.
const MOST_READ: u64 = 100 << 20;

/// A file.
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// It was named itself: then it has to be a picture. In a folder, other files are passed over.
    pub named: bool,
}

/// Where files come from.
pub struct Inputs {
    named: Vec<PathBuf>,
    list: Option<File>,
}

impl Inputs {
    /// Takes the arguments; a list on standard input is read to its end.
    ///
    /// # Errors
    /// When the list cannot be read or put aside.
    pub fn new(args: &[PathBuf]) -> Result<Self, CliError> {
        let wants_list = args.iter().any(|path| path.as_os_str() == "-");
        let named = args.iter().filter(|path| path.as_os_str() != "-").cloned().collect();
        let list = wants_list.then(|| spool(&mut io::stdin().lock())).transpose();
        let list = list.map_err(|error| {
            CliError::new(
                Exit::Failed,
                format!("the list on standard input cannot be read: {error}"),
                "See that there is room for temporary files (TMPDIR)",
            )
        })?;
        Ok(Self { named, list })
    }

    /// Walks over all files, from the first.
    ///
    /// # Errors
    /// When the list cannot be read again.
    pub fn walk(&self) -> io::Result<Walk> {
        let list = self.list.as_ref().map(|list| {
            let mut list = list.try_clone()?;
            list.seek(SeekFrom::Start(0))?;
            Ok::<_, io::Error>(BufReader::new(list))
        });
        Ok(Walk {
            named: self.named.clone().into_iter(),
            list: list.transpose()?,
            folders: Vec::new(),
        })
    }
}

/// A file that exists without a name, for this process only.
pub fn unnamed_file() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("secondlook-{}", Uuid::new_v4().simple()));
    let file =
        fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn spool(from: &mut impl Read) -> io::Result<File> {
    let mut file = unnamed_file()?;
    io::copy(from, &mut file)?;
    Ok(file)
}

/// A walk over the files; only the open folders are held.
pub struct Walk {
    named: std::vec::IntoIter<PathBuf>,
    list: Option<BufReader<File>>,
    folders: Vec<ReadDir>,
}

/// A file, or a path that could not be looked at and why.
pub type Found = Result<Input, (PathBuf, String)>;

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(folder) = self.folders.last_mut() {
                match folder.next() {
                    None => {
                        self.folders.pop();
                    }
                    Some(Err(error)) => return Some(Err((PathBuf::new(), error.to_string()))),
                    Some(Ok(entry)) => {
                        // Links to folders are not followed: they may go in circles.
                        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                        if let Some(found) = self.enter(entry.path(), is_folder, false) {
                            return Some(found);
                        }
                    }
                }
                continue;
            }
            let path = match self.named.next() {
                Some(path) => path,
                None => match self.next_line() {
                    Ok(path) => path?,
                    Err(error) => return Some(Err((PathBuf::from("-"), error.to_string()))),
                },
            };
            let is_folder = path.is_dir();
            if let Some(found) = self.enter(path, is_folder, true) {
                return Some(found);
            }
        }
    }
}

impl Walk {
    fn enter(&mut self, path: PathBuf, is_folder: bool, named: bool) -> Option<Found> {
        if !is_folder {
            return Some(Ok(Input { path, named }));
        }
        match fs::read_dir(&path) {
            Ok(folder) => {
                self.folders.push(folder);
                None
            }
            Err(error) => Some(Err((path, error.to_string()))),
        }
    }

    fn next_line(&mut self) -> io::Result<Option<PathBuf>> {
        let Some(list) = &mut self.list else { return Ok(None) };
        loop {
            let mut line = Vec::new();
            if list.read_until(b'\n', &mut line)? == 0 {
                self.list = None;
                return Ok(None);
            }
            let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
            line.truncate(end.map_or(0, |end| end + 1));
            if !line.is_empty() {
                return Ok(Some(PathBuf::from(OsString::from_vec(line))));
            }
        }
    }
}

/// What a file is, by its first bytes and its size.
pub enum Look {
    /// A picture that can be sent.
    Picture,
    /// No picture, in a folder: passed over.
    Other,
    /// It cannot be sent, and why.
    Bad(String),
}

/// Looks at a file without reading it all.
pub fn look(input: &Input, may_shrink: bool) -> Look {
    let opened = open_file(&input.path);
    let (mut file, length) = match opened {
        Ok(opened) => opened,
        Err(why) => return Look::Bad(why),
    };
    let mut head = [0; 16];
    let mut filled = 0;
    while filled < head.len() {
        match file.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) => return Look::Bad(format!("it cannot be read: {error}")),
        }
    }
    let format = Format::of(&head[..filled]);
    match format {
        None if input.named && length == 0 => Look::Bad("it is empty".to_owned()),
        None if input.named => Look::Bad(NO_PICTURE.to_owned()),
        None => Look::Other,
        Some(_) if length > MOST_READ => Look::Bad("it is larger than 100 MB".to_owned()),
        Some(_) if length > MOST && !may_shrink => {
            Look::Bad("it is larger than 5 MB; --shrink makes it smaller".to_owned())
        }
        // What cannot be shown afterwards is not asked for either: a hit on it could be judged by nobody.
        Some(format) => match apart(|| refused(BufReader::new(file), format)) {
            Some(Err(why)) => Look::Bad(why),
            Some(Ok(())) | None => Look::Picture,
        },
    }
}

/// Refuses a kind of picture that cannot be shown, by its headers.
fn refused(file: impl BufRead + Seek, format: Format) -> Result<(), String> {
    readable(file, format).map_err(|error| match error {
        DecodeError::Unsupported(kind) => {
            format!("its kind ({kind}) cannot be shown here; save it as JPEG or PNG")
        }
        DecodeError::Damaged | DecodeError::TooLarge => error.to_string(),
    })
}

const NO_PICTURE: &str = "it is no JPEG, PNG, WebP or TIFF";

fn open_file(path: &Path) -> Result<(File, u64), String> {
    let unreadable = |error: io::Error| format!("it cannot be read: {error}");
    // Asked before it is opened: a named pipe would wait for a writer for ever.
    let known = fs::metadata(path).map_err(unreadable)?;
    if !known.is_file() {
        return Err("it is neither a file nor a folder".to_owned());
    }
    Ok((File::open(path).map_err(unreadable)?, known.len()))
}

/// A picture ready to be sent.
pub struct Loaded {
    /// The bytes, made smaller where they had to be.
    pub bytes: Zeroizing<Vec<u8>>,
    /// A file name's ending that tells what they are.
    pub ending: &'static str,
}

/// The digest of a file as it stands on the disk.
pub type Digest32 = [u8; 32];

/// Reads a file.
///
/// # Errors
/// Why it cannot be sent.
pub fn read(path: &Path) -> Result<(PictureBytes, Digest32), String> {
    let (file, length) = open_file(path)?;
    if length > MOST_READ {
        return Err("it is larger than 100 MB".to_owned());
    }
    let room = usize::try_from(length).unwrap_or(0).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(MOST_READ)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("it cannot be read: {error}"))?;
    let digest = Sha256::digest(&*bytes).into();
    let picture = PictureBytes::new(bytes).ok_or_else(|| NO_PICTURE.to_owned())?;
    Ok((picture, digest))
}

/// Reads a picture that stands alone and is sent as it is, when it has at most `most` bytes.
///
/// # Errors
/// Exit code 2 with why it cannot be sent.
pub fn single(path: &Path, most: u64) -> Result<Loaded, CliError> {
    let loaded = read(path).and_then(|(picture, _)| {
        let bytes = picture.bytes();
        if bytes.len() as u64 > most {
            return Err(format!("it is larger than {} MB", most >> 20));
        }
        let seen = apart(|| refused(Cursor::new(bytes), picture.format()));
        seen.unwrap_or(Ok(()))?;
        let bytes = Zeroizing::new(bytes.to_vec());
        Ok(Loaded { bytes, ending: ending(picture.format()) })
    });
    loaded.map_err(|why| {
        let name = crate::domain::printable(&path.to_string_lossy(), 80);
        CliError::new(Exit::Usage, format!("{name}: {why}"), "Nothing was sent; name a picture")
    })
}

fn ending(format: Format) -> &'static str {
    match format {
        Format::Jpeg => "jpg",
        Format::Png => "png",
        Format::Webp => "webp",
        Format::Tiff => "tiff",
    }
}

/// Makes a picture ready to be sent.
///
/// # Errors
/// Why it cannot be.
pub fn ready(picture: &PictureBytes, may_shrink: bool) -> Result<Loaded, String> {
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    if picture.bytes().len() <= most {
        let bytes = Zeroizing::new(picture.bytes().to_vec());
        return Ok(Loaded { bytes, ending: ending(picture.format()) });
    }
    if !may_shrink {
        return Err("it is larger than 5 MB; --shrink makes it smaller".to_owned());
    }
    let small = apart(|| shrink(picture, most)).unwrap_or(Err(DecodeError::Damaged));
    let bytes = small.map_err(|error| match error {
        DecodeError::Damaged => "it is larger than 5 MB and damaged".to_owned(),
        DecodeError::Unsupported(kind) => {
            format!("it is larger than 5 MB and its kind ({kind}) is not read here")
        }
        DecodeError::TooLarge => "it has too many pixels to be made smaller".to_owned(),
    })?;
    Ok(Loaded { bytes, ending: "jpg" })
}
