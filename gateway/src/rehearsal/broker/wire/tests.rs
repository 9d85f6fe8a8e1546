use super::*;

fn connect(level: u8) -> Vec<u8> {
    vec![0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, 30, 0, 1, b'c']
}

#[test]
fn level_is_told_as_soon_as_its_byte_is_there() {
    for (byte, expected) in [(4, Level::V3), (5, Level::V5)] {
        let bytes = connect(byte);
        for length in 0..9 {
            assert_eq!(level(&bytes[..length]).unwrap(), None);
        }
        assert_eq!(level(&bytes[..9]).unwrap(), Some(expected));
    }
    let long = [&[0x10, 0x80, 0x80, 0x01][..], &connect(5)[2..]].concat();
    assert_eq!(level(&long).unwrap(), Some(Level::V5));
}

#[test]
fn what_is_not_a_connect_is_refused() {
    for bytes in
        [connect(3), connect(6), b"GET / HTTP/1.1\r\n".to_vec(), vec![0x10, 255, 255, 255, 255]]
    {
        assert!(matches!(level(&bytes), Err(WireError::NotConnect)), "{bytes:?}");
    }
}

#[test]
fn all_forms_of_disconnect_are_understood() {
    use crate::rehearsal::broker::vocabulary::Farewell;
    let said = |expiry| Farewell::Said { expiry };
    for (bytes, expected) in [
        (&[0xE0, 0][..], said(None)),
        (&[0xE0, 1, 0], said(None)),
        (&[0xE0, 1, 4], Farewell::Lost),
        (&[0xE0, 2, 0, 0], said(None)),
        (&[0xE0, 2, 4, 0], Farewell::Lost),
        (&[0xE0, 7, 0, 5, 17, 0, 0, 0, 9], said(Some(std::time::Duration::from_secs(9)))),
    ] {
        let mut inbox = BytesMut::from(bytes);
        let read = read(Level::V5, &mut inbox, 100).unwrap();
        assert!(matches!(read, Some(Incoming::Disconnect(it)) if it == expected), "{bytes:?}");
        assert!(inbox.is_empty());
    }
}

#[test]
fn packet_with_wrong_inner_lengths_is_refused_and_not_waited_for() {
    // A SUBSCRIBE whose filter claims 100 bytes; a PUBLISH that ends before its properties.
    for bytes in [&[0x82, 6, 0, 1, 0, 0, 100, b'a'][..], &[0x30, 3, 0, 1, b'a']] {
        let mut inbox = BytesMut::from(bytes);
        assert!(matches!(read(Level::V5, &mut inbox, 100), Err(WireError::Malformed(_))));
    }
}

#[test]
fn disconnect_written_is_one_that_a_client_can_read() {
    use rumqttc::v5::mqttbytes::v5::{DisconnectReasonCode, Packet};
    let mut bytes = BytesMut::new();
    write(Level::V5, Answer::Disconnect(Closing::TakenOver), &mut bytes).unwrap();
    let Packet::Disconnect(read) = Packet::read(&mut bytes, None).unwrap() else { panic!() };
    assert_eq!(read.reason_code, DisconnectReasonCode::SessionTakenOver);
    assert!(bytes.is_empty());
}
