//! Starts the lab in the page that loaded it.

fn main() {
    yew::Renderer::<zebu_web::app::App>::new().render();
}
