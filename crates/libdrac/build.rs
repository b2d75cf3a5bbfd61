//! The shared library's own name, which programs linked with it ask for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libdrac.so.1");
    // A plugin's host may unload it while a name is still being resolved in a thread of ours.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
