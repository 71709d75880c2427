import DiptychData
import Foundation
import TensorIO
import TestSupport
import Testing

@Suite struct SceneTests {
    private func scene(_ objects: [SceneObject], _ background: SceneBackground = .meadow, level: Int = 1) -> Scene {
        Scene(level: level, background: background, objects: objects)
    }

    private let ball = SceneObject(.ball, .red, .medium, x: 180, y: 250)
    private let umbrella = SceneObject(.umbrella, .orange, .large, x: 700, y: 760)

    @Test func captionsSayWhatIsSeen() {
        #expect(scene([ball]).caption == "a red ball at the top left on a meadow")
        // Level 1 names things row by row, whatever lies in front.
        #expect(
            scene([umbrella, ball], .room).caption
                == "a red ball at the top left and a large orange umbrella at the bottom right in a room")
        var busy = scene([umbrella, ball, SceneObject(.cup, .white, .small, x: 512, y: 512)], .sea, level: 2)
        busy.weather = .fog
        busy.style = .pencil
        busy.tone = .sepia
        #expect(
            busy.caption
                == "a pencil drawing of a large orange umbrella at the bottom right, a red ball at the top left and "
                + "a small white cup in the center by the sea in the fog, in sepia")
        #expect(ScenePlace.all(level: 1).map(\.name).count == 6)
        #expect(
            ScenePlace.all(level: 2).map(\.phrase) == [
                "at the top left", "at the top center", "at the top right", "on the left side", "in the center",
                "on the right side", "at the bottom left", "at the bottom center", "at the bottom right",
            ])
    }

    @Test func descriptionsSurviveJSON() throws {
        var picture = scene([ball, SceneObject(.picture, .blue, .small, x: 3, y: 4, photo: "cat")], .photo, level: 3)
        picture.photo = "sea"
        picture.crop = 3
        picture.grain = 99
        let edit = SceneEdit(.remove, from: picture, to: scene([ball]), object: 1)
        #expect(try JSONDecoder().decode(SceneEdit.self, from: JSONEncoder().encode(edit)) == edit)
    }

    @Test func everyLevelOneColorStandsOut() {
        let contrast = SceneContrast.shared
        for background in SceneBackground.simple {
            for color in SceneColor.simple {
                let distance = contrast.distance(color, in: scene([], background))
                #expect(distance >= 0.35, "\(color) on \(background): \(distance)")
            }
        }
    }

    @Test func sizesShowTheSamePicture() {
        for (i, kind) in SceneObjectKind.drawn.enumerated() {
            let background = SceneBackground.drawn[i % SceneBackground.drawn.count]
            let scene = Scene(
                level: 2, background: background, weather: background.weathers[i % background.weathers.count],
                objects: [SceneObject(kind, .purple, .large, x: 480, y: 540)], grain: i)
            let small = SceneRenderer(size: 64).image(of: scene)
            let large = SceneRenderer(size: 256).image(of: scene).resized(width: 64, height: 64, filter: .bilinear)
            let differences = zip(small.pixels, large.pixels).map { abs(Int($0) - Int($1)) }
            let mean = Double(differences.reduce(0, +)) / Double(differences.count)
            #expect(mean < 2.5, "\(kind) on \(background): mean difference \(mean)")
        }
    }

    @Test func everythingDrawnIsSeenAndDiffers() {
        let renderer = SceneRenderer(size: 48)
        func image(_ change: (inout Scene) -> Void) -> Image {
            var scene = Scene(level: 2, background: .sea, objects: [SceneObject(.boat, .green, .large, x: 512, y: 512)])
            change(&scene)
            return renderer.image(of: scene)
        }
        var images = SceneObjectKind.drawn.map { kind in image { $0.objects[0].kind = kind } }
        images += SceneColor.allCases.filter { $0 != .green }.map { color in image { $0.objects[0].color = color } }
        images += SceneBackground.drawn.filter { $0 != .sea }.map { background in image { $0.background = background } }
        images += SceneWeather.allCases.filter { $0 != .clear }.map { weather in image { $0.weather = weather } }
        images += SceneStyle.allCases.filter { $0 != .illustration }.map { style in image { $0.style = style } }
        images += SceneTone.allCases.filter { $0 != .neutral }.map { tone in image { $0.tone = tone } }
        images += SceneSize.allCases.filter { $0 != .large }.map { size in image { $0.objects[0].size = size } }
        for i in images.indices {
            for j in 0..<i {
                let changed = zip(images[i].pixels, images[j].pixels).count { abs(Int($0) - Int($1)) > 12 }
                #expect(changed > 48 * 48 * 3 / 100, "pictures \(j) and \(i) differ in \(changed) values")
            }
        }
    }
}
