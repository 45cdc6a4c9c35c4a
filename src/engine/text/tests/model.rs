
extern crate std;
