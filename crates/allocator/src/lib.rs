//! Sets up the allocator of glibc for a program that runs for months and whose threads take turns at the same work.
//!
//! As it is, glibc makes an arena for each thread that allocates, up to eight for each processor, and what one arena has freed
//! is of no use to the others. Each then holds the peak of all that its thread has ever done. Besides, it takes freed blocks of
//! growing size for a reason to take blocks of that size from an arena too, where they leave holes.
//!
//! A crate of its own, because it is the only place of the workspace that calls C by itself: no library offers this call as a
//! safe one.

/// With one of these the operator, or whoever packages the program, has set up the allocator in another way.
const SET_BY_OTHERS: [&str; 5] =
    ["MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES"];

/// Has all threads share one arena, and large blocks given back to the system as soon as they are freed. It has to be called
/// before the first thread is started, because an arena that was made stays. Does nothing where the environment sets up the
/// allocator, and on systems without glibc.
pub fn set_up() {
    if SET_BY_OTHERS.iter().all(|name| std::env::var_os(name).is_none()) {
        #[cfg(target_env = "gnu")]
        glibc::set_up();
    }
}

#[cfg(target_env = "gnu")]
mod glibc {
    use libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int};

    /// The program has one busy thread, and small blocks come from a cache of each thread, so nobody waits for it.
    const ARENAS: c_int = 1;
    /// A block of so many bytes is mapped by itself: glibc's own value, which it raises as it goes unless it is set.
    const LARGE: c_int = 128 * 1024;
    /// So much free room at the end of the arena is given back: less than that goes and comes with each piece of a scrape.
    const ROOM: c_int = 512 * 1024;

    pub(super) fn set_up() {
        for (parameter, value) in [(M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, ROOM)] {
            // SAFETY: `mallopt` takes two numbers and no pointer, and locks what it changes. It leaves everything as it was
            // when it does not know one of them.
            unsafe {
                libc::mallopt(parameter, value);
            }
        }
    }
}
