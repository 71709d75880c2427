import TensorCore
import Testing

@Suite struct ByteCountTests {
    @Test(arguments: [
        ("4GiB", 4 << 30), ("512 MiB", 512 << 20), ("1.5gib", 3 << 29), ("6.5GB", 6_500_000_000), ("10KB", 10_000),
        ("7KiB", 7168), ("3mb", 3_000_000), ("12B", 12), ("123456", 123_456), ("0", 0),
    ])
    func reads(text: String, bytes: Int) { #expect(ByteCount(text)?.bytes == bytes) }

    @Test(arguments: ["", "GiB", "-1GiB", "4 GiBs", "1e3", "4,5GiB", "1.2.3MB", "99999999999GiB", "nan", "∞GB"])
    func refuses(text: String) { #expect(ByteCount(text) == nil) }

    @Test func describes() {
        #expect(ByteCount(4 << 30).description == "4.00 GiB")
        #expect(ByteCount((3 << 30) + (64 << 20)).description == "3.06 GiB")
        #expect(ByteCount(812 << 20).description == "812 MiB")
        #expect(ByteCount(17 << 10).description == "17 KiB")
        #expect(ByteCount(12).description == "12 B")
        #expect(ByteCount(1) < ByteCount(2))
    }
}
