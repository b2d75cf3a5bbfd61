//! Packets: the length of what follows in four octets, a command octet, data.

use super::MilterError;

/// Most data of a packet, in octets, the command not counted (`MILTER_MAX_DATA_SIZE`). Postfix cuts headers to fit,
/// whatever its `header_size_limit` is.
pub const DATA_OCTETS_MAX: usize = 65_535;
/// Most octets of a packet behind its length: a command and data.
const PACKET_OCTETS_MAX: usize = 1 + DATA_OCTETS_MAX;
/// Most input that waits, in octets: a packet, and what one reading may bring behind it.
pub const INPUT_OCTETS_MAX: usize = 3 * PACKET_OCTETS_MAX;

pub(super) const ABORT: u8 = b'A';
pub(super) const BODY: u8 = b'B';
pub(super) const CONNECT: u8 = b'C';
pub(super) const MACRO: u8 = b'D';
pub(super) const END_OF_MESSAGE: u8 = b'E';
pub(super) const HELO: u8 = b'H';
pub(super) const QUIT_NEW_CONNECTION: u8 = b'K';
pub(super) const HEADER: u8 = b'L';
pub(super) const MAIL: u8 = b'M';
pub(super) const END_OF_HEADERS: u8 = b'N';
pub(super) const NEGOTIATE: u8 = b'O';
pub(super) const QUIT: u8 = b'Q';
pub(super) const RCPT: u8 = b'R';
pub(super) const DATA: u8 = b'T';
pub(super) const UNKNOWN: u8 = b'U';

/// Cuts the input into packets.
#[derive(Debug, Default)]
pub(super) struct PacketReader {
    input: Vec<u8>,
    taken: usize,
}

impl PacketReader {
    /// Takes what came in, if there is room.
    pub(super) fn push(&mut self, octets: &[u8]) -> Result<(), MilterError> {
        self.input.drain(..self.taken);
        self.taken = 0;
        if self.input.len() + octets.len() > INPUT_OCTETS_MAX {
            return Err(MilterError::TooMuchInput { max: INPUT_OCTETS_MAX });
        }
        self.input.extend_from_slice(octets);
        Ok(())
    }

    /// The next whole packet: its command and data. A length or command that cannot be is found as soon as it is there.
    pub(super) fn next(&mut self) -> Result<Option<(u8, &[u8])>, MilterError> {
        let Some((header, rest)) = self.input[self.taken..].split_first_chunk::<5>() else {
            return Ok(None);
        };
        let [a, b, c, d, command] = *header;
        let octets = u32::from_be_bytes([a, b, c, d]);
        if !is_command(command) {
            return Err(MilterError::UnknownCommand(command));
        }
        let length = usize::try_from(octets).unwrap_or(usize::MAX);
        if length == 0 || length > PACKET_OCTETS_MAX {
            return Err(MilterError::Length { octets, max: PACKET_OCTETS_MAX });
        }
        let Some(data) = rest.get(..length - 1) else { return Ok(None) };
        self.taken += 4 + length;
        Ok(Some((command, data)))
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        self.input = Vec::new();
        self.taken = 0;
    }
}

fn is_command(octet: u8) -> bool {
    matches!(
        octet,
        ABORT
            | BODY
            | CONNECT
            | MACRO
            | END_OF_MESSAGE
            | HELO
            | QUIT_NEW_CONNECTION
            | HEADER
            | MAIL
            | END_OF_HEADERS
            | NEGOTIATE
            | QUIT
            | RCPT
            | DATA
            | UNKNOWN
    )
}

/// Appends a packet whose data are `parts` one behind the other, which the caller keeps below [`DATA_OCTETS_MAX`].
pub(super) fn write(command: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    let data_octets: usize = parts.iter().map(|part| part.len()).sum();
    let octets = u32::try_from(1 + data_octets).unwrap_or(u32::MAX);
    out.extend_from_slice(&octets.to_be_bytes());
    out.push(command);
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_and_what_is_none() {
        type Packet = Result<Option<(u8, Vec<u8>)>, MilterError>;
        let table: &[(&[u8], Packet)] = &[
            (b"", Ok(None)),
            (b"\0\0\0\x01", Ok(None)),
            (b"\0\0\0\x01A", Ok(Some((ABORT, vec![])))),
            (b"\0\0\0\x03Hx", Ok(None)),
            (b"\0\0\0\x03Hx\0tail", Ok(Some((HELO, b"x\0".to_vec())))),
            (b"\0\0\0\0A", Err(MilterError::Length { octets: 0, max: 65_536 })),
            (b"\0\x01\0\x01B", Err(MilterError::Length { octets: 65_537, max: 65_536 })),
            (b"\0\x01\0\0B", Ok(None)),
            (b"\xff\xff\xff\xffL", Err(MilterError::Length { octets: u32::MAX, max: 65_536 })),
            (b"\0\0\0\x01Z", Err(MilterError::UnknownCommand(b'Z'))),
            (b"GET / HTTP/1.0\r\n", Err(MilterError::UnknownCommand(b'/'))),
        ];
        for (input, expected) in table {
            let mut reader = PacketReader::default();
            reader.push(input).unwrap();
            let found = reader.next().map(|packet| packet.map(|(command, data)| (command, data.to_vec())));
            assert_eq!(&found, expected, "{}", input.escape_ascii());
        }
    }

    #[test]
    fn input_that_nobody_takes_is_bounded() {
        let mut reader = PacketReader::default();
        reader.push(&vec![b'x'; INPUT_OCTETS_MAX]).unwrap();
        assert_eq!(reader.push(b"x"), Err(MilterError::TooMuchInput { max: INPUT_OCTETS_MAX }));
    }
}
