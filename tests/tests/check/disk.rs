//! The disk.

use tests::small_disk::SmallDisk;

use super::world::World;

#[tokio::test]
async fn directory_that_cannot_be_made_is_a_failure_of_the_disk_alone() {
    let mut world = World::new().await;
    let in_the_way = world.write("file", "");
    world = world.set_path("state_dir", &in_the_way.join("state"));
    world.check().await.fails(13, &["disk"]).says("disk", "failed", &["is no directory"]);
}

#[tokio::test]
async fn spool_that_may_outgrow_the_disk_is_a_warning() {
    let disk = SmallDisk::mount(4);
    let mut world = World::new().await;
    world = world.set_path("spool.dir", &disk.path().join("spool"));
    let told = world.check().await;
    told.is_available().says(
        "disk",
        "warning",
        &["4 MiB free", "may take 64 MiB more", "lower spool.bytes_max"],
    );
    disk.make_read_only();
    let told = world.check().await;
    told.fails(13, &["disk"]).says("disk", "failed", &["Read-only file system", "chown"]);
}
