//! clap's errors, as one sentence.

/// The part of clap's message before the usage, on one line that begins with the program's name. clap prints several
/// lines, with usage and tips. A line that begins with one of `noise` is left out.
pub fn one_sentence(program: &str, text: &str, noise: &[&str]) -> String {
    let said = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let mut sentence = format!("{program}:");
    let is_noise = |line: &str| noise.iter().any(|start| line.starts_with(start));
    for line in said.filter(|line| !line.is_empty() && !is_noise(line)) {
        let line = line.strip_prefix("error: ").unwrap_or(line);
        let (separator, line) = line.strip_prefix("tip: ").map_or((" ", line), |tip| ("; ", tip));
        sentence.push_str(separator);
        sentence.push_str(line);
    }
    sentence
}
