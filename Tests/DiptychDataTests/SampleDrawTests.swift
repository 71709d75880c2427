import DiptychData
import InContextEdit
import Testing

/// What random crops are drawn: their sizes and places are spread evenly over all that the options allow.
@Suite struct SampleDrawTests {
    private func views(_ count: Int, cropScale: Double, mirror: Double = 0, seed: UInt64 = 3) throws -> [PanelView] {
        var options = DrawOptions()
        (options.cropScale, options.mirror, options.seed) = (cropScale, mirror, seed)
        let record = PairRecord(source: "a.png", target: "b.png", fields: PromptFields(instruction: "make it red"))
        return try (0..<count).map {
            try options.draw(record, panelLayout: .beside, index: 0, epoch: $0 % 5, position: $0).view
        }
    }

    @Test(arguments: [0.5, 0.9]) func cropsAreSpreadEvenly(cropScale: Double) throws {
        let views = try views(4000, cropScale: cropScale)
        // Each in units of what it may be.
        let draws = [views.map { ($0.scale - cropScale) / (1 - cropScale) }, views.map(\.x), views.map(\.y)]
        for draw in draws {
            #expect(draw.allSatisfy { (0...1).contains($0) })
            // Four standard deviations of an even distribution's mean and of a tenth's count.
            let mean: Double = draw.reduce(0, +) / Double(draw.count)
            #expect(abs(mean - 0.5) < 0.0183, "a mean of \(mean)")
            for tenth in 0..<10 {
                let count = draw.count { Int($0 * 10) == tenth }
                #expect((324...476).contains(count), "\(count) of 4000 in tenth \(tenth)")
            }
        }
        // Size, row and column do not follow each other: their covariances are within four deviations of zero.
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            var covariance = 0.0
            for (x, y) in zip(draws[a], draws[b]) { covariance += (x - 0.5) * (y - 0.5) / 4000 }
            #expect(abs(covariance) < 0.0053, "\(covariance)")
        }
    }

    @Test func aDrawIsAFunctionOfItsPlace() throws {
        #expect(try views(50, cropScale: 0.5) == views(50, cropScale: 0.5))
        #expect(try views(50, cropScale: 0.5) != views(50, cropScale: 0.5, seed: 4))
        #expect(try Set(views(50, cropScale: 0.5)).count == 50)
        #expect(try views(20, cropScale: 1).allSatisfy { $0 == .whole })
    }
}
