//! Stacks, and the switch from one to another.
//!
//! Code that is suspended keeps its registers on its own stack, and a switch is a jump from the instruction at which
//! one task suspends to the one at which the next was suspended. On x86-64 the jump is ours, a dozen instructions.
//! Elsewhere, and with the feature `portable-switch`, corosensei performs it: its coroutines return to the code that
//! resumed them, so each switch is a return and a resumption.
//!
//! All unsafe code that switches stacks is in this folder and in `fiber.rs`.

mod memory;
#[cfg(any(feature = "portable-switch", not(all(target_arch = "x86_64", unix))))]
mod portable;
#[cfg(all(target_arch = "x86_64", unix, not(feature = "portable-switch")))]
mod x86_64;

pub(crate) use memory::Memory;
#[cfg(any(feature = "portable-switch", not(all(target_arch = "x86_64", unix))))]
pub(crate) use portable::{Code, Home};
#[cfg(all(target_arch = "x86_64", unix, not(feature = "portable-switch")))]
pub(crate) use x86_64::{Code, Home};

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::hint::black_box;

    use super::*;

    /// Two codes that switch to each other, and their results.
    struct Pair {
        home: Home,
        codes: [Code; 2],
        results: RefCell<Vec<(u64, f64)>>,
    }

    impl Pair {
        fn of(stack_bytes: usize) -> &'static Pair {
            let code = |number| Code::new(Memory::new(stack_bytes, number).expect("memory"));
            let pair = Pair { home: Home::default(), codes: [code(0), code(1)], results: RefCell::default() };
            Box::leak(Box::new(pair))
        }

        /// Puts a body on one of the two stacks. The body computes with many values, and switches to the other stack
        /// after each step.
        #[expect(unsafe_code, reason = "the stack is free; the body does not return")]
        fn begin(&'static self, which: usize, from: u64) {
            let body = move || {
                let (mut whole, mut real) = ([from; 12], [from as f64; 12]);
                for step in 1..=100 {
                    for place in 0..12 {
                        whole[place] = black_box(whole[place]).wrapping_mul(31).wrapping_add(step);
                        real[place] = black_box(real[place]) * 0.5 + step as f64;
                    }
                    // SAFETY: this code runs, and the other has been begun.
                    unsafe { self.codes[which].switch(&self.codes[1 - which]) };
                }
                assert!(whole.iter().all(|value| *value == whole[0]) && real.iter().all(|value| *value == real[0]));
                self.results.borrow_mut().push((whole[0], real[0]));
                if self.results.borrow().len() == 1 {
                    // SAFETY: as above.
                    unsafe { self.codes[which].switch(&self.codes[1 - which]) };
                }
                // SAFETY: this code runs, and home was left.
                unsafe { self.codes[which].go_home(&self.home) };
                unreachable!("nothing switches back");
            };
            // SAFETY: the stack holds nothing that still runs.
            unsafe { self.codes[which].begin(body) };
        }
    }

    fn expected(from: u64) -> (u64, f64) {
        let (mut whole, mut real) = (from, from as f64);
        for step in 1..=100_u64 {
            whole = whole.wrapping_mul(31).wrapping_add(step);
            real = real * 0.5 + step as f64;
        }
        (whole, real)
    }

    #[test]
    #[expect(unsafe_code, reason = "leaves the test's own stack")]
    fn values_survive_a_switch_and_stacks_are_used_again() {
        let pair = Pair::of(64 * 1024);
        for round in 0..3 {
            pair.begin(0, round);
            pair.begin(1, round + 10);
            // SAFETY: this code runs, and the other was begun in the line above.
            unsafe { pair.home.leave(&pair.codes[0]) };
            assert_eq!(pair.results.take(), [expected(round), expected(round + 10)]);
        }
    }

    /// Functions may align their frames, and assume that the stack is aligned when they are called.
    #[test]
    #[expect(unsafe_code, reason = "leaves the test's own stack")]
    fn a_body_and_its_frame_are_aligned() {
        #[derive(Clone, Copy)]
        #[repr(align(16))]
        struct Wide([u8; 16]);
        let pair = Pair::of(64 * 1024);
        let captured = Wide([7; 16]);
        let body = move || {
            let place = |wide: &Wide| std::ptr::from_ref(black_box(wide)).addr() % 16;
            let own = Wide([8; 16]);
            pair.results.borrow_mut().push(((place(&captured) + place(&own)) as u64, f64::from(captured.0[0])));
            // SAFETY: this code runs, and home was left.
            unsafe { pair.codes[0].go_home(&pair.home) };
            unreachable!("nothing switches back");
        };
        // SAFETY: the stack is new; this code runs.
        unsafe {
            pair.codes[0].begin(body);
            pair.home.leave(&pair.codes[0]);
        }
        assert_eq!(pair.results.take(), [(0, 7.0)]);
    }
}
