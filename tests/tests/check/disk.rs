//! The disk.

use super::world::World;

#[tokio::test]
async fn directory_that_cannot_be_made_is_a_failure_of_the_disk_alone() {
    let mut world = World::new().await;
    let in_the_way = world.write("file", "");
    world.gateway = world.gateway.set_path("state_dir", &in_the_way.join("state"));
    world.check().await.fails(13, &["disk"]).says("disk", "failed", &["is no directory"]);
}

#[tokio::test]
async fn spool_that_may_outgrow_the_disk_is_a_warning() {
    let world = World::new().await.set("spool.bytes_max", "\"900 TiB\"");
    let told = world.check().await;
    told.is_available().says("disk", "warning", &["free", "lower dead_letter.bytes_max and spool"]);
}
