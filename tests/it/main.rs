//! The library from outside, in one binary.

// The attribute tells clippy that unwrapping and printing are fine there.
#[cfg(test)]
mod damage;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod open;
#[cfg(test)]
mod quiet;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod seed;
