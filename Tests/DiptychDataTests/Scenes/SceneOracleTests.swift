import DiptychData
import Foundation
import TensorIO
import TestSupport
import Testing

@Suite struct SceneOracleTests {
    private func generator(level: Int, size: Int, split: SceneSplit = .validation) throws -> SceneGenerator {
        try SceneGenerator(
            options: .init(
                count: 1000, size: size, level: level, seed: 3, split: split,
                photos: level == 3 ? Fixtures.folder.appending(path: "../../Datasets/photos").path : nil))
    }

    @Test(arguments: [(1, 64, 200), (2, 64, 200), (2, 128, 100), (3, 96, 60)])
    func rightResultsPassAndWrongOnesDoNot(level: Int, size: Int, count: Int) throws {
        let check = try SceneOracleCheck(generator(level: level, size: size), count: count)
        let table = check.lines.joined(separator: "\n")
        for sample in SceneOracleCheck.Sample.allCases {
            let share = check.share(sample)
            #expect(sample.isRight ? share > 0.99 : share < 0.02, "\(sample): \(share)\n\(table)")
        }
        // Every kind of edit for itself, as exactly as so few pictures can tell.
        for task in SceneTask.allCases {
            for sample in SceneOracleCheck.Sample.allCases {
                guard let share = check.share(task, sample) else { continue }
                #expect(sample.isRight ? share > 0.94 : share < 0.06, "\(task), \(sample): \(share)\n\(table)")
            }
        }
    }

    @Test func whatIsMissingIsNamed() throws {
        let oracle = SceneOracle()
        let renderer = SceneRenderer(size: 64)
        let ball = SceneObject(.ball, .red, .medium, x: 180, y: 260)
        let star = SceneObject(.star, .blue, .medium, x: 510, y: 770)
        let source = Scene(level: 1, background: .meadow, objects: [ball])
        let target = Scene(level: 1, background: .meadow, objects: [ball, star])
        let edit = SceneEdit(.add, from: source, to: target, object: 1)
        let right = oracle.judge(renderer.image(of: target), of: edit)
        #expect(right.isDone && right.isClean && right.isKept && right.isMet)
        let nothing = oracle.judge(renderer.image(of: source), of: edit)
        #expect(!nothing.isDone && nothing.isKept && !nothing.isMet)
        var without = target
        without.objects.removeFirst()
        let lost = oracle.judge(renderer.image(of: without), of: edit)
        #expect(lost.isDone && lost.isClean && !lost.isKept && !lost.isMet)
        // Where the words leave a pixel open, so does the oracle.
        for (dx, dy) in [(16, -16), (-24, 8), (0, 30)] {
            var beside = target
            beside.objects[1].x += dx
            beside.objects[1].y += dy
            #expect(oracle.judge(renderer.image(of: beside), of: edit).isMet, "\(dx), \(dy)")
        }
        let grey = Image(width: 64, height: 64, color: [128, 128, 128])
        let verdict = oracle.judge(grey, of: edit)
        #expect(!verdict.isClean && !verdict.isKept)
    }
}
