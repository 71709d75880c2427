import Models
import Testing

@Suite struct CanonicalCompositionTests {
    private func bytes(_ codePoints: [UInt32]) -> [UInt8] {
        var text = ""
        for value in codePoints { text.unicodeScalars.append(Unicode.Scalar(value)!) }
        return Array(text.utf8)
    }

    @Test func everyTextGetsTheFormOfPythonsUnicodeData() throws {
        let fixture = try TokenizerFixture()
        #expect(fixture.compositions.count == 400)
        for (text, composed) in fixture.compositions {
            #expect(CanonicalComposition.composed(bytes(text)) == bytes(composed), "\(text)")
        }
    }

    @Test func syllablesComposeByArithmeticAndComeBack() {
        for syllable in UInt32(0xAC00)...0xD7A3 {
            let index = syllable - 0xAC00
            var parts = [0x1100 + index / 588, 0x1161 + index % 588 / 28]
            if index % 28 > 0 { parts.append(0x11A7 + index % 28) }
            #expect(CanonicalComposition.composed(bytes(parts)) == bytes([syllable]))
        }
    }
}
