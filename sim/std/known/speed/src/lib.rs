//! Two small programs, for std and for shuttle's copy of its names.

/// Defines the programs on the types of `$std`.
#[macro_export]
macro_rules! programs {
    ($std:ident) => {
        use $std::sync::atomic::{AtomicU32, Ordering};
        use $std::sync::{Arc, Mutex};
        use $std::thread;

        /// Two threads add to an atomic, 20 times each.
        pub fn atomic() {
            let count = Arc::new(AtomicU32::new(0));
            let threads = [(); 2].map(|()| {
                let count = Arc::clone(&count);
                thread::spawn(move || {
                    for _ in 0..20 {
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                })
            });
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(count.load(Ordering::SeqCst), 40);
        }

        /// Three threads lock a mutex, 10 times each.
        pub fn mutex() {
            let count = Arc::new(Mutex::new(0));
            let threads = [(); 3].map(|()| {
                let count = Arc::clone(&count);
                thread::spawn(move || {
                    for _ in 0..10 {
                        *count.lock().unwrap() += 1;
                    }
                })
            });
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(*count.lock().unwrap(), 30);
        }
    };
}
