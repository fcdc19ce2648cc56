//! Starts the lab in the page that loaded it.

fn main() {
    if let Err(why) = zebu_web::proof::offer() {
        zebu_web::browser::complain(&why);
    }
    yew::Renderer::<zebu_web::root::Root>::new().render();
}
