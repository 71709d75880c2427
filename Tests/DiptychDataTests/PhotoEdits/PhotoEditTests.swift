import DiptychData
import TensorIO
import Testing

@Suite struct PhotoEditTests {
    static let edits = EditKind.all.flatMap(\.edits)

    @Test func kindsShareNeitherNamesNorEdits() {
        #expect(EditKind.all.count >= 12)
        #expect(Set(EditKind.all.map(\.name)).count == EditKind.all.count)
        #expect(EditKind.all.allSatisfy { !$0.edits.isEmpty })
        #expect(Set(Self.edits).count == Self.edits.count)
        #expect(Set(Self.edits.map(\.task)) == Set(EditTask.allCases))
    }

    @Test func noTwoEditsShareAnInstruction() {
        var owners: [String: PhotoEdit] = [:]
        for edit in Self.edits {
            #expect(Set(edit.instructions).count >= 3)
            for instruction in edit.instructions {
                let other = owners.updateValue(edit, forKey: instruction)
                #expect(other == nil, "'\(instruction)' demands both \(edit) and \(other.map { "\($0)" } ?? "")")
            }
        }
    }

    @Test func instructionsAreWhatPromptsTake() {
        for edit in Self.edits {
            for words in edit.instructions {
                // They follow "… exactly the same as on the left but ".
                #expect(words.first!.isLowercase && words.last!.isLetter || words.last!.isNumber, "\(words)")
            }
            #expect(edit.captions.source.hasPrefix("a ") && edit.captions.target.hasPrefix("a "))
            #expect(edit.captions.source != edit.captions.target)
        }
    }

    @Test func samples() {
        let mark = EditMark(shape: .disc, color: .red, place: .topLeft)
        #expect(PhotoEdit.removed(mark).instructions[0] == "remove the red disc from the top left corner")
        let band = EditMark(shape: .stripe, color: .blue, place: .bottom)
        #expect(PhotoEdit.added(band).instructions[0] == "add a blue stripe along the bottom")
        #expect(PhotoEdit.added(band).captions.target == "a photograph with a blue stripe along the bottom")
    }

    @Test func differentEditsOfAPhotographDiffer() {
        let photo = SyntheticPhoto.make(width: 32, height: 32)
        // The pair of panels determines the edit, as the instruction does.
        var seen: [[UInt8]: PhotoEdit] = [:]
        for edit in Self.edits {
            let panels = edit.panels(of: photo)
            #expect(panels.source != panels.target, "\(edit) changes nothing")
            #expect(panels.source.width == 32 && panels.target.width == 32 && panels.target.height == 32)
            let other = seen.updateValue(edit, forKey: panels.source.pixels + panels.target.pixels)
            #expect(other == nil, "\(edit) and \(other.map { "\($0)" } ?? "") do the same")
        }
    }
}
