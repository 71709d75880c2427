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

    /// A scene in which a star is added, as the oracle draws it, to be spoilt.
    private func addedStar() -> (edit: SceneEdit, picture: Image) {
        let ball = SceneObject(.ball, .red, .medium, x: 180, y: 260)
        let star = SceneObject(.star, .blue, .medium, x: 510, y: 770)
        let source = Scene(level: 1, background: .meadow, objects: [ball])
        let target = Scene(level: 1, background: .meadow, objects: [ball, star])
        return (
            SceneEdit(.add, from: source, to: target, object: 1),
            SceneRenderer(size: SceneOracle.side).image(of: target)
        )
    }

    /// `picture` with every colour of a rectangle changed by so many of 255 in each channel, towards the middle, which is
    /// `change * sqrt(3) / 255` as a distance.
    private func spoilt(_ picture: Image, x: Int, y: Int, side: Int, by change: Int) -> Image {
        var picture = picture
        for v in y..<y + side {
            for u in x..<x + side {
                var color = picture[u, v]
                for i in 0..<3 { color[i] = UInt8(color[i] < 128 ? Int(color[i]) + change : Int(color[i]) - change) }
                picture[u, v] = color
            }
        }
        return picture
    }

    /// What is not to change may be off by 0.115 of the way from black to white, as an autoencoder's losses are, not more.
    @Test func theRestMayDifferALittle() {
        let (edit, picture) = addedStar()
        let oracle = SceneOracle()
        // 15, 16, 18 and 22 are distances of 0.102, 0.109, 0.122 and 0.149.
        for (change, isKept) in [(0, true), (15, true), (16, true), (18, false), (22, false)] {
            let verdict = oracle.judge(spoilt(picture, x: 48, y: 4, side: 10, by: change), of: edit)
            #expect(verdict.isKept == isKept && verdict.isDone && verdict.isClean, "\(change): \(verdict)")
        }
        // A spot of two pixels is no change of a block.
        #expect(oracle.judge(spoilt(picture, x: 50, y: 6, side: 2, by: 22), of: edit).isKept)
    }

    /// The edited area may be off by 0.2.
    @Test func theEditMayDifferALittle() {
        let (edit, picture) = addedStar()
        let oracle = SceneOracle()
        // The star's middle; 27 and 32 are distances of 0.183 and 0.217.
        for (change, isClean) in [(20, true), (27, true), (32, false), (40, false)] {
            let verdict = oracle.judge(spoilt(picture, x: 27, y: 44, side: 10, by: change), of: edit)
            #expect(verdict.isClean == isClean && verdict.isKept, "\(change): \(verdict)")
        }
    }

    /// Half-way between two results is neither of them; most of the way is the nearer one.
    @Test func halfDoneIsNotDone() {
        let (edit, picture) = addedStar()
        let oracle = SceneOracle()
        let source = SceneRenderer(size: SceneOracle.side).image(of: edit.source)
        // The squared distances from goal and source are in the ratio ((1 - share) / share)^2: 1, 0.82, 0.67, 0.06 (the
        // oracle asks for 0.6).
        for (share, isDone) in [(0.5, false), (0.525, false), (0.55, false), (0.8, true)] {
            var mixed = picture
            for y in 0..<SceneOracle.side {
                for x in 0..<SceneOracle.side {
                    var color = picture[x, y]
                    for i in 0..<3 {
                        let value = Double(color[i]) * share + Double(source[x, y][i]) * (1 - share)
                        color[i] = UInt8(value.rounded())
                    }
                    mixed[x, y] = color
                }
            }
            #expect(oracle.judge(mixed, of: edit).isDone == isDone, "\(share)")
        }
    }
}
