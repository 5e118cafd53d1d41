//! Runs one program on shuttle, with its random scheduler: `on_shuttle atomic|mutex SCHEDULES`.

known_speed::programs!(shuttle);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let program = match arguments.next().as_deref() {
        Some("atomic") => atomic,
        Some("mutex") => mutex,
        _ => panic!("the program is `atomic` or `mutex`"),
    };
    let schedules = arguments.next().and_then(|text| text.parse().ok()).expect("a number of schedules");
    shuttle::check_random(program, schedules);
}
