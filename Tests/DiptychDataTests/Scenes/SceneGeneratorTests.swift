import DiptychData
import Foundation
import InContextEdit
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite(.serialized) struct SceneGeneratorTests {
    private func generator(
        level: Int = 1, size: Int = 64, seed: UInt64 = 5, split: SceneSplit = .train, tasks: [SceneTask]? = nil
    ) throws -> SceneGenerator {
        try SceneGenerator(
            options: .init(
                count: 1000, size: size, level: level, seed: seed, split: split, tasks: tasks ?? SceneTask.allCases,
                photos: level == 3 ? Fixtures.folder.appending(path: "../../Datasets/photos").path : nil))
    }

    @Test(arguments: 1...3) func editsKeepTheRulesOfTheirLevel(level: Int) throws {
        let generator = try generator(level: level)
        var tasks: [SceneTask: Int] = [:]
        for i in 0..<1000 {
            let edit = generator.edit(at: i)
            tasks[edit.task, default: 0] += 1
            for scene in [edit.source, edit.target] {
                #expect(scene.level == level && 1...(level == 1 ? 2 : 3) ~= scene.objects.count)
                // A scene with a second thing of the same name could not be told what to change.
                #expect(Set(scene.objects.map(\.name)).count == scene.objects.count)
                if level == 1 {
                    #expect(scene.objects.allSatisfy { SceneObjectKind.simple.contains($0.kind) })
                    #expect(scene.objects.allSatisfy { SceneColor.simple.contains($0.color) && $0.size != .small })
                    #expect(SceneBackground.simple.contains(scene.background))
                }
                for object in scene.objects {
                    let side = object.size.side(level: level)
                    #expect(object.x >= side / 2 && object.x <= 1024 - side / 2)
                    #expect(object.y >= side / 2 && object.y <= 1024 - side / 2)
                }
            }
            #expect(edit.source.grain == edit.target.grain)
            #expect(edit.instructions.count >= 3 && Set(edit.instructions).count == edit.instructions.count)
        }
        #expect(tasks.count == 10 && tasks.values.allSatisfy { $0 == 100 })
    }

    @Test func captionsOfLevelOneDetermineTheScene() throws {
        let generator = try generator()
        var known: [String: Scene] = [:]
        for i in 0..<3000 {
            for var scene in [generator.edit(at: i).source, generator.edit(at: i).target] {
                // All that a caption leaves open: a pixel of place and the noise.
                scene.grain = 0
                for j in scene.objects.indices {
                    let place = scene.objects[j].place(level: 1).center(side: scene.objects[j].size.side(level: 1))
                    #expect(abs(scene.objects[j].x - place.x) <= 16 && abs(scene.objects[j].y - place.y) <= 16)
                    (scene.objects[j].x, scene.objects[j].y) = place
                }
                scene.objects.sort { ($0.y, $0.x) < ($1.y, $1.x) }
                let other = known.updateValue(scene, forKey: scene.caption)
                #expect(other == nil || other == scene, "\(scene.caption)")
            }
        }
    }

    @Test(arguments: 1...3) func partsShareNoScene(level: Int) throws {
        var signatures: [SceneSplit: Set<String>] = [:]
        for split in SceneSplit.allCases {
            let generator = try generator(level: level, split: split)
            for i in 0..<400 {
                let edit = generator.edit(at: i)
                for scene in [edit.source, edit.target] {
                    #expect(scene.split == split)
                    signatures[split, default: []].insert(scene.signature)
                }
            }
        }
        #expect(signatures[.train]!.isDisjoint(with: signatures[.validation]!))
        #expect(signatures[.train]!.isDisjoint(with: signatures[.test]!))
        #expect(signatures[.validation]!.isDisjoint(with: signatures[.test]!))
        // The shares are those of a fair hash.
        var counts: [SceneSplit: Int] = [:]
        for x in 0..<20_000 {
            let object = SceneObject(.ball, .red, .medium, x: 100, y: 100, photo: "\(x)")
            counts[Scene(level: 2, background: .sky, objects: [object]).split, default: 0] += 1
        }
        #expect(abs(counts[.validation]! - 1000) < 130 && abs(counts[.test]! - 1000) < 130)
    }

    @Test(arguments: 1...3) func pairsDependOnSeedAndNumberAlone(level: Int) throws {
        let generator = try generator(level: level)
        let fresh = try self.generator(level: level)
        let (a, b) = (generator.pair(at: 17), fresh.pair(at: 17))
        #expect(a.source == b.source && a.target == b.target && a.edit == b.edit && a.fields == b.fields)
        #expect(try self.generator(level: level, size: 96).edit(at: 17) == a.edit)
        #expect(try self.generator(level: level, seed: 6).edit(at: 17) != a.edit)
    }

    @Test(arguments: 1...2) func localEditsChangeTheirObjectAlone(level: Int) throws {
        let generator = try generator(level: level, tasks: SceneTask.allCases.filter(\.isLocal))
        for i in 0..<240 {
            let pair = generator.pair(at: i)
            // The squares of the object before and after, with the reach of a cartoon's pen at a sharp tip.
            let boxes = [pair.edit.before, pair.edit.after].compactMap(\.self).map { object in
                (x: object.x, y: object.y, reach: object.size.side(level: level) * 64 / 100 + 16)
            }
            var changed = 0
            for y in 0..<64 {
                for x in 0..<64 {
                    let differs = pair.source[x, y] != pair.target[x, y]
                    #expect((pair.mask[x, y] == [255, 255, 255]) == differs)
                    guard differs else { continue }
                    changed += 1
                    #expect(
                        boxes.contains { abs(x * 16 + 8 - $0.x) <= $0.reach && abs(y * 16 + 8 - $0.y) <= $0.reach },
                        "\(pair.fields.instruction): pixel \(x), \(y)")
                }
            }
            #expect(changed >= 40, "\(pair.fields.instruction) changes \(changed) pixels")
        }
    }

    @Test func optionsOutOfRangeAreNamed() {
        let cases: [(SceneGenerator.Options, String)] = [
            (.init(count: 0), "count"), (.init(count: 1, size: 60), "size"), (.init(count: 1, level: 4), "level"),
            (.init(count: 1, tasks: []), "tasks"), (.init(count: 1, level: 3), "photos"),
            (.init(count: 1, level: 1, photos: "x"), "photos"),
        ]
        for (options, name) in cases {
            #expect(#expect(throws: OptionError.self) { try SceneGenerator(options: options) }?.option == name)
        }
    }
}
