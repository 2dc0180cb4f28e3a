//! The calls into the C library.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_uint};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use lmdb_sys as sys;

use crate::{Entry, Error, Existing, Lock};

pub(crate) const MAP_FULL: i32 = sys::MDB_MAP_FULL;
pub(crate) const MAP_RESIZED: i32 = sys::MDB_MAP_RESIZED;

/// LMDB's or the system's words for an error number.
pub(crate) fn message(code: i32) -> String {
    // SAFETY: mdb_strerror returns a string that ends with NUL and stays valid at least until the next call on this
    // thread; it is copied at once.
    let text = unsafe { CStr::from_ptr(sys::mdb_strerror(code)) };
    text.to_string_lossy().into_owned()
}

/// An LMDB environment with its unnamed database, and at most one transaction that outlives a call, besides the one that
/// is kept for the next reader.
///
/// The pointers make this type neither `Send` nor `Sync`, as LMDB requires of transactions.
pub(crate) struct Raw {
    env: *mut sys::MDB_env,
    dbi: sys::MDB_dbi,
    fd: c_int,
    /// The bulk transaction, or null.
    bulk: *mut sys::MDB_txn,
    /// A read transaction that is reset: it refers to nothing in the file, and needs only to be renewed. Or null.
    reader: Cell<*mut sys::MDB_txn>,
    read_only: bool,
    // LMDB keeps a pointer to the path for its messages.
    _path: Box<CStr>,
}

impl Raw {
    pub(crate) fn open(path: &Path, read_only: bool, map_size: usize) -> Result<Self, Error> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::Code(libc::ENOENT))?;
        let path = path.into_boxed_c_str();
        let mut env = ptr::null_mut();
        // SAFETY: `env` receives a new environment.
        check(unsafe { sys::mdb_env_create(&mut env) })?;
        let mut raw = Self {
            env,
            dbi: 0,
            fd: -1,
            bulk: ptr::null_mut(),
            reader: Cell::new(ptr::null_mut()),
            read_only,
            _path: path,
        };
        raw.prepare(map_size)?;
        Ok(raw)
    }

    fn prepare(&mut self, map_size: usize) -> Result<(), Error> {
        let read_only = if self.read_only { sys::MDB_RDONLY } else { 0 };
        let flags = sys::MDB_NOSUBDIR | sys::MDB_NOLOCK | read_only;
        // SAFETY: the environment is new; the path is a C string that lives as long as the environment.
        check(unsafe { sys::mdb_env_set_mapsize(self.env, map_size) })?;
        // SAFETY: as above. The callback does not return.
        check(unsafe { sys::mdb_env_set_userctx(self.env, self._path.as_ptr().cast_mut().cast()) })?;
        // SAFETY: as above.
        check(unsafe { sys::mdb_env_set_assert(self.env, Some(assertion_failed)) })?;
        // SAFETY: as above.
        check(unsafe { sys::mdb_env_open(self.env, self._path.as_ptr(), flags, 0o644) })?;
        // SAFETY: the environment is open; `fd` is a place for the answer.
        check(unsafe { sys::mdb_env_get_fd(self.env, &mut self.fd) })?;
        // Programs that run a user's commands must not hand them the file; LMDB leaves it open for them.
        // SAFETY: plain system call on the environment's descriptor.
        if unsafe { libc::fcntl(self.fd, libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
            return Err(io::Error::last_os_error().into());
        }
        let txn = self.transaction(self.read_only).map_err(Error::Code)?;
        // SAFETY: the transaction is live; a null name is the unnamed database, which always exists.
        let opened = check(unsafe { sys::mdb_dbi_open(txn, ptr::null(), 0, &mut self.dbi) });
        // SAFETY: the transaction is live and not used again. The handle of the unnamed database needs no commit.
        unsafe { sys::mdb_txn_abort(txn) };
        opened
    }

    pub(crate) fn lock(&self, lock: Lock) -> io::Result<()> {
        let kind = match lock {
            Lock::Shared => libc::F_RDLCK,
            Lock::Exclusive => libc::F_WRLCK,
            Lock::None => libc::F_UNLCK,
        };
        // SAFETY: all zero is a valid `flock`: the whole file, from its start.
        let mut request: libc::flock = unsafe { std::mem::zeroed() };
        request.l_type = kind as libc::c_short;
        request.l_whence = libc::SEEK_SET as libc::c_short;
        loop {
            // SAFETY: the descriptor belongs to the open environment; the kernel reads the structure during the call.
            if unsafe { libc::fcntl(self.fd, libc::F_OFD_SETLKW, &request) } == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    pub(crate) fn status(&self) -> io::Result<libc::stat> {
        // SAFETY: all zero is a valid `stat` to be overwritten.
        let mut status: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor belongs to the open environment; `status` is a place for the answer.
        match unsafe { libc::fstat(self.fd, &mut status) } {
            0 => Ok(status),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(crate) fn longest_key(&self) -> usize {
        // SAFETY: the environment is open.
        usize::try_from(unsafe { sys::mdb_env_get_maxkeysize(self.env) }).unwrap_or(0)
    }

    /// Only while there is no transaction: callers drop theirs before they recover from an error.
    pub(crate) fn set_map_size(&mut self, size: usize) -> Result<(), i32> {
        self.abandon();
        // SAFETY: the environment is open and has no live transaction.
        result(unsafe { sys::mdb_env_set_mapsize(self.env, size) })
    }

    /// Takes over the size limit that another process gave the file.
    pub(crate) fn adopt_map_size(&mut self) -> Result<usize, i32> {
        self.set_map_size(0)?;
        // SAFETY: all zero is a valid value to be overwritten.
        let mut info: sys::MDB_envinfo = unsafe { std::mem::zeroed() };
        // SAFETY: the environment is open; `info` is a place for the answer.
        result(unsafe { sys::mdb_env_info(self.env, &mut info) })?;
        Ok(info.me_mapsize)
    }

    /// Begins the bulk transaction.
    pub(crate) fn begin(&mut self) -> Result<(), i32> {
        self.abandon();
        self.bulk = self.transaction(false)?;
        Ok(())
    }

    /// Empties the database, in the bulk transaction.
    pub(crate) fn clear(&mut self) -> Result<(), i32> {
        if self.bulk.is_null() {
            return Err(libc::EINVAL);
        }
        // SAFETY: the bulk transaction is live.
        result(unsafe { sys::mdb_drop(self.bulk, self.dbi, 0) })
    }

    /// Commits the bulk transaction.
    pub(crate) fn commit(&mut self) -> Result<(), i32> {
        let txn = std::mem::replace(&mut self.bulk, ptr::null_mut());
        if txn.is_null() {
            return Ok(());
        }
        // SAFETY: the transaction was live; committing frees it, whatever the result.
        result(unsafe { sys::mdb_txn_commit(txn) })
    }

    pub(crate) fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, i32> {
        let dbi = self.dbi;
        self.with_transaction(true, |txn| {
            let mut key = value_of(key);
            let mut value = value_of(&[]);
            // SAFETY: the transaction is live; LMDB reads the key, and does not write to it.
            match unsafe { sys::mdb_get(txn, dbi, &mut key, &mut value) } {
                0 => Ok(Some(copy(&value))),
                sys::MDB_NOTFOUND => Ok(None),
                code => Err(code),
            }
        })
    }

    pub(crate) fn put(&mut self, key: &[u8], value: &[u8], existing: Existing) -> Result<bool, i32> {
        let dbi = self.dbi;
        let flags = if existing == Existing::Keep { sys::MDB_NOOVERWRITE } else { 0 };
        self.with_transaction(false, |txn| {
            let mut key = value_of(key);
            let mut value = value_of(value);
            // SAFETY: the transaction is live; LMDB copies key and value.
            match unsafe { sys::mdb_put(txn, dbi, &mut key, &mut value, flags) } {
                0 => Ok(true),
                sys::MDB_KEYEXIST => Ok(false),
                code => Err(code),
            }
        })
    }

    /// Stores an entry with a key beyond all others, in the bulk transaction.
    pub(crate) fn append(&mut self, key: &[u8], value: &[u8]) -> Result<(), i32> {
        let dbi = self.dbi;
        self.with_transaction(false, |txn| {
            let mut key = value_of(key);
            let mut value = value_of(value);
            // SAFETY: the transaction is live; LMDB copies key and value.
            result(unsafe { sys::mdb_put(txn, dbi, &mut key, &mut value, sys::MDB_APPEND) })
        })
    }

    pub(crate) fn delete(&mut self, key: &[u8]) -> Result<bool, i32> {
        let dbi = self.dbi;
        self.with_transaction(false, |txn| {
            let mut key = value_of(key);
            // SAFETY: the transaction is live; a null value means any value of the key.
            match unsafe { sys::mdb_del(txn, dbi, &mut key, ptr::null_mut()) } {
                0 => Ok(true),
                sys::MDB_NOTFOUND => Ok(false),
                code => Err(code),
            }
        })
    }

    /// The first entry, or the first one after a key, which need not exist any more.
    pub(crate) fn entry_after(&mut self, after: Option<&[u8]>) -> Result<Option<Entry>, i32> {
        let dbi = self.dbi;
        self.with_transaction(true, |txn| {
            let mut cursor = ptr::null_mut();
            // SAFETY: the transaction is live; `cursor` receives the cursor.
            result(unsafe { sys::mdb_cursor_open(txn, dbi, &mut cursor) })?;
            let entry = seek(cursor, after);
            // SAFETY: the cursor is live and is closed before its transaction ends.
            unsafe { sys::mdb_cursor_close(cursor) };
            entry
        })
    }

    /// Runs a request in the bulk transaction, or in one of its own.
    fn with_transaction<T>(
        &mut self,
        is_read: bool,
        request: impl FnOnce(*mut sys::MDB_txn) -> Result<T, i32>,
    ) -> Result<T, i32> {
        if !self.bulk.is_null() {
            let answer = request(self.bulk);
            if answer.is_err() {
                self.abandon();
            }
            return answer;
        }
        if is_read {
            return self.with_reader(request);
        }
        let txn = self.transaction(false)?;
        let answer = request(txn);
        if answer.is_err() {
            // SAFETY: the transaction is live and not used again.
            unsafe { sys::mdb_txn_abort(txn) };
            return answer;
        }
        // SAFETY: the transaction is live; committing frees it, whatever the result.
        result(unsafe { sys::mdb_txn_commit(txn) })?;
        answer
    }

    fn with_reader<T>(&self, request: impl FnOnce(*mut sys::MDB_txn) -> Result<T, i32>) -> Result<T, i32> {
        let kept = self.reader.replace(ptr::null_mut());
        let txn = match kept.is_null() {
            true => self.transaction(true)?,
            false => kept,
        };
        if !kept.is_null()
            // SAFETY: the transaction was reset, and its environment is open.
            && let Err(code) = result(unsafe { sys::mdb_txn_renew(txn) })
        {
            // SAFETY: the transaction is reset and not used again.
            unsafe { sys::mdb_txn_abort(txn) };
            return Err(code);
        }
        let answer = request(txn);
        // SAFETY: the transaction is live, and its cursors are closed; nothing uses it until it is renewed.
        unsafe { sys::mdb_txn_reset(txn) };
        self.reader.set(txn);
        answer
    }

    fn transaction(&self, read_only: bool) -> Result<*mut sys::MDB_txn, i32> {
        let flags: c_uint = if read_only { sys::MDB_RDONLY } else { 0 };
        let mut txn = ptr::null_mut();
        // SAFETY: the environment is open, without another write transaction; `txn` receives the transaction.
        result(unsafe { sys::mdb_txn_begin(self.env, ptr::null_mut(), flags, &mut txn) })?;
        Ok(txn)
    }

    fn abandon(&mut self) {
        for txn in [std::mem::replace(&mut self.bulk, ptr::null_mut()), self.reader.replace(ptr::null_mut())]
        {
            if !txn.is_null() {
                // SAFETY: the transaction was live or reset, and cannot be reached any more.
                unsafe { sys::mdb_txn_abort(txn) };
            }
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.abandon();
        // SAFETY: no transaction is left, and the environment cannot be reached any more.
        unsafe { sys::mdb_env_close(self.env) };
    }
}

fn seek(cursor: *mut sys::MDB_cursor, after: Option<&[u8]>) -> Result<Option<Entry>, i32> {
    let mut key = value_of(after.unwrap_or_default());
    let mut value = value_of(&[]);
    let operation = if after.is_some() { sys::MDB_SET_RANGE } else { sys::MDB_FIRST };
    // SAFETY: the cursor is live; LMDB points key and value into the map, which stays until the transaction ends.
    let mut code = unsafe { sys::mdb_cursor_get(cursor, &mut key, &mut value, operation) };
    if code == 0 && after.is_some_and(|after| copy(&key) == after) {
        // SAFETY: as above.
        code = unsafe { sys::mdb_cursor_get(cursor, &mut key, &mut value, sys::MDB_NEXT) };
    }
    match code {
        0 => Ok(Some((copy(&key), copy(&value)))),
        sys::MDB_NOTFOUND => Ok(None),
        code => Err(code),
    }
}

fn value_of(bytes: &[u8]) -> sys::MDB_val {
    sys::MDB_val { mv_size: bytes.len(), mv_data: bytes.as_ptr().cast_mut().cast() }
}

fn copy(value: &sys::MDB_val) -> Vec<u8> {
    if value.mv_size == 0 || value.mv_data.is_null() {
        return Vec::new();
    }
    // SAFETY: LMDB set the pointer and the length, and the transaction that they belong to is live.
    unsafe { std::slice::from_raw_parts(value.mv_data.cast::<u8>(), value.mv_size) }.to_vec()
}

fn result(code: c_int) -> Result<(), i32> {
    if code == 0 { Ok(()) } else { Err(code) }
}

fn check(code: c_int) -> Result<(), Error> {
    result(code).map_err(Error::Code)
}

/// LMDB found its file or its memory damaged, and would go on to damage more.
extern "C" fn assertion_failed(env: *mut sys::MDB_env, text: *const c_char) {
    // SAFETY: the context is the path, which outlives the environment; the text ends with NUL.
    let (path, text) = unsafe {
        let path: *const c_char = sys::mdb_env_get_userctx(env).cast_const().cast();
        (CStr::from_ptr(path).to_string_lossy(), CStr::from_ptr(text).to_string_lossy())
    };
    log::panic_text!("{path}: internal error: {text}");
    std::process::abort();
}
